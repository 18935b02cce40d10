// A packet is refused before the owner has written a table, and passes, stamped, after it has.
module khhw_guard_tb;
  //@ instance
  //@ frame

  localparam int FLITS = CHUNK_BYTES / FLIT_BYTES;
  localparam int TRIED = 200;

  header_t forged;

  function automatic flit_t flit_of(input int index);
    flit_t flit;
    flit = '0;
    flit.first = index == 0;
    flit.last = index == FLITS - 1;
    flit.data = index == 0 ? forged : {48'hfeed0000cafe, 16'(index)};
    return flit;
  endfunction

  task automatic access(input bit write, input logic [23:0] address, input logic [31:0] data, output logic [31:0] value);
    bit done;
    owner_valid = 1'b1;
    owner_write = write;
    owner_address = address[15:0];
    owner_data = data;
    do begin
      #4 done = owner_done;
      value = owner_value;
      if (done) check(!owner_error, "the owner may access its registers");
      @(negedge clk);
    end while (!done);
    owner_valid = 1'b0;
  endtask

  task automatic write(input logic [23:0] address, input logic [31:0] data);
    logic [31:0] unused;
    access(1'b1, address, data, unused);
  endtask

  task automatic send;
    bit taken;
    for (int i = 0; i < FLITS; i = i + 1) begin
      from_ni_0_payload = flit_of(i);
      from_ni_0_valid = 1'b1;
      do begin
        #4 taken = from_ni_0_ready;
        @(negedge clk);
      end while (!taken);
    end
    from_ni_0_valid = 1'b0;
  endtask

  // Counts what leaves for the router, and looks at it.
  int left = 0;
  header_t stamped;
  always @(negedge clk)
    if (!rst && to_router_0_valid && to_router_0_ready) begin
      if (to_router_0_payload.first) stamped = to_router_0_payload.data;
      else check(to_router_0_payload == flit_of(left % FLITS), "the payload passes as it was sent");
      left = left + 1;
    end

  initial begin
    logic [31:0] value;
    reset;
    // The node at x = 1 of a ring of two; its id is 1.
    straps.x = 6'd1;
    straps.size_x = 7'd2;
    straps.size_y = 7'd1;
    straps.size_z = 7'd1;
    straps.rank = 16'd1;
    to_router_0_ready = 1'b1;
    // It sends to node 0 and says that it is node 4660.
    forged = '0;
    forged.vc = VIRTUAL_CHANNEL_ESCAPE;
    forged.source = 16'h1234;
    write(REG_HOLD, 32'h0);
    send;
    repeat (TRIED) @(negedge clk);
    check(left == 0, "nothing passes before the first commit");
    access(1'b0, REG_REFUSED + 24'(REG_REFUSED_STRIDE * REASON_NO_TABLE), 32'h0, value);
    check(value == 32'd1, "the refusal is counted");

    write(REG_ROW, 32'h1);
    write(REG_COMMIT, 32'h1);
    send;
    repeat (TRIED) @(negedge clk);
    check(left == FLITS, "the packet passes when the row has its destination");
    check(stamped.source == 16'd1, "its source is the node that sent it");
    check(node_id == 16'd1, "the node has the id of its place");
    conclude;
  end
endmodule
