// The host reads and writes registers and opens a ring; a packet that arrives is stored there.
module khhw_ni_tb;
  //@ instance
  //@ frame

  localparam int FLITS = CHUNK_BYTES / FLIT_BYTES;
  localparam logic [1:0] OKAY = 2'd0, SLVERR = 2'd2;

  task automatic read(input logic [23:0] address, output logic [31:0] value, output logic [1:0] response);
    bit taken;
    host_araddr = address;
    host_arvalid = 1'b1;
    do begin
      #4 taken = host_arready;
      @(negedge clk);
    end while (!taken);
    host_arvalid = 1'b0;
    host_rready = 1'b1;
    do begin
      #4 taken = host_rvalid;
      value = host_rdata;
      response = host_rresp;
      @(negedge clk);
    end while (!taken);
    host_rready = 1'b0;
  endtask

  task automatic write(input logic [23:0] address, input logic [31:0] value, output logic [1:0] response);
    bit address_taken, data_taken, answered;
    host_awaddr = address;
    host_wdata = value;
    host_wstrb = 4'hf;
    host_awvalid = 1'b1;
    host_wvalid = 1'b1;
    do begin
      #4 address_taken = host_awready;
      data_taken = host_wready;
      @(negedge clk);
      if (address_taken) host_awvalid = 1'b0;
      if (data_taken) host_wvalid = 1'b0;
    end while (host_awvalid || host_wvalid);
    host_bready = 1'b1;
    do begin
      #4 answered = host_bvalid;
      response = host_bresp;
      @(negedge clk);
    end while (!answered);
    host_bready = 1'b0;
  endtask

  function automatic logic [63:0] word_of(input int index);
    return index == 0 ? 64'h0 : {48'hfeed0000cafe, 16'(index)};
  endfunction

  // A packet of one chunk for reception ring 0: its header is 0.
  task automatic arrive;
    bit taken;
    for (int i = 0; i < FLITS; i = i + 1) begin
      eject_0_payload = '0;
      eject_0_payload.first = i == 0;
      eject_0_payload.last = i == FLITS - 1;
      eject_0_payload.data = word_of(i);
      eject_0_valid = 1'b1;
      do begin
        #4 taken = eject_0_ready;
        @(negedge clk);
      end while (!taken);
    end
    eject_0_valid = 1'b0;
  endtask

  // The node memory: always ready, and what is written can be read in the next cycle.
  int stored = 0;
  bit written = 1'b0;
  memory_write_t last_write;
  always @(negedge clk) begin
    memory_write_ready = 1'b1;
    memory_written = written;
    #4 written = memory_write_valid && !rst;
    if (written) begin
      last_write = memory_write_payload;
      stored = stored + 1;
    end
  end

  initial begin
    logic [31:0] value;
    logic [1:0] response;
    coordinate_reg_t place;
    reset;
    straps.x = 6'd2;
    straps.y = 6'd1;
    straps.size_x = 7'd4;
    straps.size_y = 7'd2;
    straps.size_z = 7'd1;
    straps.rank = 16'd6;
    read(REG_MAGIC, value, response);
    check(value == MAGIC && response == OKAY, "the register MAGIC");
    read(REG_VERSION, value, response);
    check(value == VERSION, "the version of the registers is that of the package");
    read(REG_COORDINATE, value, response);
    place = value;
    check(place.x == 8'd2 && place.y == 8'd1 && place.z == 8'd0, "the node knows its place");
    write(REG_IRQ_ENABLE, 32'h1, response);
    read(REG_IRQ_ENABLE, value, response);
    check(value == 32'h1, "a register keeps what is written");
    write(REG_MAGIC, 32'h0, response);
    check(response == SLVERR, "a register that cannot be written says so");

    write(REG_RECEPTION_BASE, 32'h40, response);
    write(REG_RECEPTION_SIZE, 32'h80, response);
    arrive;
    repeat (40) @(negedge clk);
    check(stored == 1 && last_write.address == 2, "the packet is stored at the begin of its ring");
    check(last_write.data == {word_of(0), word_of(1), word_of(2), word_of(3)}, "the packet is stored as it came");
    read(REG_RECEPTION_TAIL, value, response);
    check(value == 32'h20, "the ring shows that it holds a chunk");
    check(irq, "the interrupt that is enabled is up");
    conclude;
  end
endmodule
