// A packet goes from an injection lane to a cable, and another one from a cable to an ejection lane.
module khhw_router_tb;
  //@ instance
  //@ frame

  localparam int FLITS = CHUNK_BYTES / FLIT_BYTES;
  localparam logic [5:0] TO_XP = 6'h20, TO_XM = 6'h10;

  // CRC of a header, over all but itself, most significant bit first.
  function automatic logic [6:0] header_crc(input logic [63:0] header);
    logic [6:0] crc;
    crc = 7'h0;
    for (int i = 56; i >= 0; i = i - 1)
      crc = {crc[5:0], 1'b0} ^ (crc[6] ^ header[i] ? 7'h09 : 7'h00);
    return ~crc;
  endfunction

  // Header of a packet of one chunk to the node at x.
  function automatic header_t header_to(input logic [7:0] x, input logic [5:0] hint);
    header_t header;
    header = '0;
    header.vc = VIRTUAL_CHANNEL_ESCAPE;
    header.hint = hint;
    header.x = x;
    header.source = 16'h5;
    header.crc = header_crc(header);
    return header;
  endfunction

  function automatic flit_t flit_of(input header_t header, input int index);
    flit_t flit;
    flit = '0;
    flit.first = index == 0;
    flit.last = index == FLITS - 1;
    flit.data = index == 0 ? header : {48'hfeed0000cafe, 16'(index)};
    return flit;
  endfunction

  task automatic inject(input header_t header);
    bit taken;
    for (int i = 0; i < FLITS; i = i + 1) begin
      inject_0_payload = flit_of(header, i);
      inject_0_valid = 1'b1;
      do begin
        #4 taken = inject_0_ready;
        @(negedge clk);
      end while (!taken);
    end
    inject_0_valid = 1'b0;
  endtask

  // Cables have no ready: there is room for three packets after reset.
  task automatic arrive(input header_t header);
    for (int i = 0; i < FLITS; i = i + 1) begin
      rx_0_vc = VIRTUAL_CHANNEL_ESCAPE;
      rx_0_flit = flit_of(header, i);
      rx_0_valid = 1'b1;
      @(negedge clk);
    end
    rx_0_valid = 1'b0;
    while (!rx_0_credit[VIRTUAL_CHANNEL_ESCAPE]) @(negedge clk);
  endtask

  task automatic expect_on_cable(input header_t header);
    for (int i = 0; i < FLITS; i = i + 1) begin
      while (!tx_0_valid) @(negedge clk);
      check(tx_0_vc == VIRTUAL_CHANNEL_ESCAPE, "a packet keeps its channel");
      check(tx_0_flit == flit_of(header, i), "a flit leaves as it was sent");
      @(negedge clk);
    end
    tx_0_credit[VIRTUAL_CHANNEL_ESCAPE] = 1'b1;
    @(negedge clk);
    tx_0_credit = '0;
  endtask

  task automatic expect_on_lane(input header_t header);
    eject_0_ready = 1'b1;
    for (int i = 0; i < FLITS; i = i + 1) begin
      while (!eject_0_valid) @(negedge clk);
      check(eject_0_payload == flit_of(header, i), "a flit arrives as it was sent");
      @(negedge clk);
    end
    eject_0_ready = 1'b0;
  endtask

  initial begin
    reset;
    // The node at x = 1 of a ring of four.
    straps.x = 6'd1;
    straps.size_x = 7'd4;
    straps.size_y = 7'd1;
    straps.size_z = 7'd1;
    straps.rank = 16'd1;
    fork
      inject(header_to(8'd2, TO_XP));
      expect_on_cable(header_to(8'd2, TO_XP));
    join
    // What arrives on the port of X+ travels X-; at its destination no hint is left.
    fork
      arrive(header_to(8'd1, TO_XM));
      expect_on_lane(header_to(8'd1, 6'h0));
    join
    repeat (8) @(negedge clk);
    check(quiescent, "nothing is left in the router");
    conclude;
  end
endmodule
