-- Below this line nothing depends on a format's fields: what it needs to know it looks up by name.

local torus = Proto("khhw_torus", "khhw torus packet")
local tree = Proto("khhw_tree", "khhw tree packet")
torus.prefs.traffic = Pref.bool("Ring 3 is the traffic generator's", false,
    "Show the second header of messages for reception ring 3 as a TrafficHeader")

local payload = ProtoField.bytes("khhw.payload", "payload", base.NONE, "What the headers describe")
local padding = ProtoField.bytes("khhw.padding", "padding", base.NONE, "Up to a whole flit or chunk: of no meaning")
local text = ProtoField.string("khhw.text", "text", base.UNICODE, "What a console channel carries")
local cut = ProtoExpert.new("khhw.cut", "The rest was not seen", expert.group.MALFORMED, expert.severity.WARN)

local ethernet = Dissector.get("eth_withoutfcs")
local integers = {ProtoField.uint8, ProtoField.uint16, ProtoField.uint24, ProtoField.uint32}

-- Give every field of a format its bytes in the packet and its name in filters.
local function register(proto, names, more)
    local fields = {}
    for _, name in ipairs(names) do
        for _, field in ipairs(formats[name]) do
            field.first = math.floor(field.bit / 8)
            local last = math.floor((field.bit + field.width - 1) / 8)
            field.bytes = last - field.first + 1
            local shown = field.values and base.DEC or field.width > 8 and base.DEC_HEX or base.DEC
            local id = filters[name] .. "." .. field.name
            if field.bytes > 4 then
                field.item = ProtoField.uint64(id, field.name, base.HEX, nil, nil, field.doc)
            else
                local mask
                if field.width < 8 * field.bytes then
                    mask = (2 ^ field.width - 1) * 2 ^ (8 * (last + 1) - field.bit - field.width)
                end
                field.item = integers[field.bytes](id, field.name, shown, field.values, mask, field.doc)
            end
            formats[name][field.name] = field
            fields[#fields + 1] = field.item
        end
    end
    for _, field in ipairs(more) do fields[#fields + 1] = field end
    proto.fields = fields
end

register(torus, {"Header", "FifoHeader", "PutHeader", "TrafficHeader", "TorusLinkHeader", "Descriptor"},
    {payload, padding})
register(tree, {"TreeHeader", "LinkHeader", "ControlWord"}, {text})
torus.experts = {cut}

local function value(name, field, tvb, offset)
    local found = formats[name][field]
    return tvb(offset + found.first, found.bytes):bitfield(found.bit % 8, found.width)
end

local function left(tvb, offset)
    return tvb:captured_len() - offset
end

-- Directions of a hint, as words.
local function ways(hint)
    local found = {}
    for _, direction in ipairs(directions) do
        if math.floor(hint / direction.bit) % 2 == 1 then found[#found + 1] = direction.name end
    end
    return #found > 0 and table.concat(found, " ") or "none"
end

-- Show one format; false if the packet ends before it does.
local function show(name, tvb, offset, parent, label)
    if left(tvb, offset) < formats[name].bytes then
        parent:add_proto_expert_info(cut)
        return false
    end
    local branch = parent:add(tvb(offset, formats[name].bytes), label or name)
    local items = {}
    for _, field in ipairs(formats[name]) do
        items[field.name] = branch:add(field.item, tvb(offset + field.first, field.bytes))
        local nested = field.format
        if nested then show(nested, tvb, offset + field.first, items[field.name]) end
    end
    if name == "Header" then items.hint:append_text(" (" .. ways(value(name, "hint", tvb, offset)) .. ")") end
    return true, items
end

local function second_header(tvb, offset)
    if value("Header", "dma", tvb, offset) == 1 then return "PutHeader" end
    local ring = 2 * value("Header", "pid0", tvb, offset) + value("Header", "pid1", tvb, offset)
    return torus.prefs.traffic and ring == 3 and "TrafficHeader" or "FifoHeader"
end

-- What the headers describe, and what stands behind it to fill the last flit or chunk.
local function show_rest(tvb, offset, length, item, parent)
    local shown = math.min(length, left(tvb, offset))
    if shown > 0 then parent:add_packet_field(item, tvb(offset, shown), ENC_UTF_8) end
    if left(tvb, offset) > shown then parent:add(padding, tvb(offset + shown)) end
end

local function show_descriptors(tvb, offset, parent)
    local bytes = formats.Descriptor.bytes
    for index = 0, math.floor(left(tvb, offset) / bytes) - 1 do
        local start = offset + index * bytes
        local _, items = show("Descriptor", tvb, start, parent, "Descriptor " .. index)
        local header, software = formats.Descriptor.header.first, formats.Descriptor.software.first
        show(second_header(tvb, start + header), tvb, start + software, items.software)
    end
    show_rest(tvb, offset + math.floor(left(tvb, offset) / bytes) * bytes, 0, payload, parent)
end

-- Whether a message begins as a frame does: no header says so.
local function begins_frame(tvb, software, offset)
    return left(tvb, offset) >= formats.TorusLinkHeader.bytes and value("FifoHeader", "put_offset", tvb, software) == 0
        and value("TorusLinkHeader", "protocol", tvb, offset) == protocols.ETHERNET
        and value("TorusLinkHeader", "opt", tvb, offset) == 0
end

-- A frame that one packet holds is shown as Ethernet; of others the link header, and the bytes there are.
local function show_frame(tvb, offset, pinfo, root, parent)
    show("TorusLinkHeader", tvb, offset, parent)
    local start = offset + formats.TorusLinkHeader.frame.first
    local length = value("TorusLinkHeader", "length", tvb, offset) - formats.TorusLinkHeader.frame.first
    pinfo.cols.info = string.format("frame of %d bytes, network %d", length,
        value("TorusLinkHeader", "dst_key", tvb, offset))
    if length > 0 and length <= left(tvb, start) then
        ethernet:call(tvb(start, length):tvb(), pinfo, root)
    end
    show_rest(tvb, start, math.max(0, length), payload, parent)
end

function torus.dissector(tvb, pinfo, root)
    local branch = root:add(torus, tvb())
    pinfo.cols.protocol = "torus"
    pinfo.cols.info = "cut"
    if not show("Header", tvb, 0, branch) then return end
    local x, y, z = value("Header", "x", tvb, 0), value("Header", "y", tvb, 0), value("Header", "z", tvb, 0)
    pinfo.cols.src = "id " .. value("Header", "source", tvb, 0)
    pinfo.cols.dst = string.format("(%d, %d, %d)", x, y, z)
    local second, start = second_header(tvb, 0), formats.Header.bytes
    if not show(second, tvb, start, branch) then return end
    local behind = start + formats[second].bytes
    if second == "FifoHeader" and begins_frame(tvb, start, behind) then
        show_frame(tvb, behind, pinfo, root, branch)
    elseif second ~= "PutHeader" then
        pinfo.cols.info = second == "FifoHeader" and "message" or "traffic"
        show_rest(tvb, behind, left(tvb, behind), payload, branch)
    elseif value("PutHeader", "remote_get", tvb, start) == 1 then
        pinfo.cols.info = "remote get, ring " .. value("PutHeader", "ring", tvb, start)
        show_descriptors(tvb, behind, branch)
    else
        local bytes = value("PutHeader", "valid_bytes", tvb, start)
        pinfo.cols.info = string.format("put, counter %d, %d bytes", value("PutHeader", "counter", tvb, start), bytes)
        show_rest(tvb, behind, bytes, payload, branch)
    end
end

-- The word for a value; the number if there is none.
local function named(name, field, tvb, offset)
    local number = value(name, field, tvb, offset)
    return (formats[name][field].values or {})[number] or tostring(number), number
end

-- Text for a list: without the end of its line, and with nothing in it that a terminal obeys.
local function visible(bytes)
    return (bytes:gsub("%s+$", ""):gsub("[^\32-\126]", function(byte)
        return string.format("\\x%02x", byte:byte())
    end))
end

local function show_control(tvb, offset, pinfo, parent)
    local bytes = formats.ControlWord.bytes
    local operations = {}
    while left(tvb, offset) >= bytes do
        operations[#operations + 1] = named("ControlWord", "op", tvb, offset)
        show("ControlWord", tvb, offset, parent, "ControlWord " .. #operations - 1)
        offset = offset + bytes
    end
    if left(tvb, offset) > 0 then parent:add_proto_expert_info(cut) end
    pinfo.cols.info:append(" " .. table.concat(operations, " "))
end

function tree.dissector(tvb, pinfo, root)
    local branch = root:add(tree, tvb())
    pinfo.cols.protocol = "tree"
    pinfo.cols.info = "cut"
    if not show("TreeHeader", tvb, 0, branch) then return end
    local external = value("TreeHeader", "external", tvb, 0) == 1
    pinfo.cols.src = external and "outside" or "id " .. value("TreeHeader", "source", tvb, 0)
    local to_all = value("TreeHeader", "p2p", tvb, 0) == 0
    local vector = value("TreeHeader", "vector", tvb, 0)
    local one = vector == external_vector and "outside" or "rank " .. vector
    pinfo.cols.dst = to_all and named("TreeHeader", "tree_class", tvb, 0) or one
    local start = formats.TreeHeader.bytes
    if not show("LinkHeader", tvb, start, branch) then return end
    local behind = start + formats.LinkHeader.bytes
    local word, protocol = named("LinkHeader", "protocol", tvb, start)
    pinfo.cols.info = word
    if protocol == protocols.CONTROL then
        show_control(tvb, behind, pinfo, branch)
    elseif protocol == protocols.CONSOLE then
        local bytes = value("LinkHeader", "opt", tvb, start)
        show_rest(tvb, behind, bytes, text, branch)
        local shown = math.min(bytes, left(tvb, behind))
        if shown > 0 then pinfo.cols.info:append(": " .. visible(tvb(behind, shown):raw())) end
    else
        show_rest(tvb, behind, left(tvb, behind), payload, branch)
    end
end

local links = DissectorTable.get("wtap_encap")
links:add(wtap.USER0, torus)
links:add(wtap.USER1, tree)
