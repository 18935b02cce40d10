// The owner's control packet goes through the tree to the last node and ends its hold; then its host port answers.
module khhw_fabric_tb;
  //@ instance
  //@ frame

  //@ nodes
  localparam int LAST = NODES - 1;
  localparam int WORDS = 3;
  localparam int FLITS = 3 + WORDS;
  localparam logic [1:0] OKAY = 2'd0, SLVERR = 2'd2;

  logic [63:0] sent [FLITS];
  logic [63:0] answer [FLITS];

  task automatic prepare;
    tree_header_t head;
    link_header_t link;
    head = '0;
    head.p2p = 1'b1;
    head.vector = LAST;
    head.words = FLITS - 1;
    link = '0;
    link.conn_id = 16'd7;
    link.protocol = PROTOCOL_CONTROL;
    link.opt = 8 * WORDS;
    sent[0] = head;
    sent[1] = link[127:64];
    sent[2] = link[63:0];
    sent[3] = {CONTROL_OP_WRITE, REG_CONSOLE_SEND_ID, 32'hc0ffee01};
    sent[4] = {CONTROL_OP_READ, REG_CONSOLE_SEND_ID, 32'h0};
    sent[5] = {CONTROL_OP_WRITE, REG_HOLD, 32'h0};
  endtask

  task automatic send;
    bit taken;
    for (int i = 0; i < FLITS; i = i + 1) begin
      owner_in_payload = '0;
      owner_in_payload.channel = TREE_CHANNEL_OWNER;
      owner_in_payload.flit.first = i == 0;
      owner_in_payload.flit.last = i == FLITS - 1;
      owner_in_payload.flit.data = sent[i];
      owner_in_valid = 1'b1;
      do begin
        #4 taken = owner_in_ready;
        @(negedge clk);
      end while (!taken);
    end
    owner_in_valid = 1'b0;
  endtask

  task automatic receive;
    owner_out_ready = 1'b1;
    for (int i = 0; i < FLITS; i = i + 1) begin
      while (!owner_out_valid) @(negedge clk);
      check(owner_out_payload.flit.last == (i == FLITS - 1), "the answer has its length");
      answer[i] = owner_out_payload.flit.data;
      @(negedge clk);
    end
    owner_out_ready = 1'b0;
  endtask

  // The host port of the last node is in the highest bits of each vector.
  task automatic read(input logic [23:0] address, output logic [31:0] value, output logic [1:0] response);
    bit taken;
    host_araddr = {NODES{address}};
    host_arvalid = {NODES{1'b0}};
    host_arvalid = ~({NODES{1'b1}} >> 1);
    do begin
      #4 taken = host_arready >> LAST;
      @(negedge clk);
    end while (!taken);
    host_arvalid = {NODES{1'b0}};
    host_rready = {NODES{1'b1}};
    do begin
      #4 taken = host_rvalid >> LAST;
      value = host_rdata >> 32 * LAST;
      response = host_rresp >> 2 * LAST;
      @(negedge clk);
    end while (!taken);
    host_rready = {NODES{1'b0}};
  endtask

  initial begin
    logic [31:0] value;
    logic [1:0] response;
    tree_header_t head;
    reset;
    repeat (4) @(negedge clk);
    check(held == {NODES{1'b1}}, "nodes are held after reset");
    read(REG_MAGIC, value, response);
    check(response == SLVERR, "the host port of a node that is held is shut");

    prepare;
    fork
      send;
      receive;
    join
    head = answer[0];
    check(head.vector == EXTERNAL && head.words == FLITS - 1, "the answer goes to the owner");
    check(answer[3] == sent[3], "the owner's write is done");
    check(answer[4][31:0] == 32'hc0ffee01, "the owner reads what it has written");

    while (held >> LAST) @(negedge clk);
    check(held == {NODES{1'b1}} >> 1, "the other nodes are still held");
    read(REG_RANK, value, response);
    check(value == LAST && response == OKAY, "the last node has its rank, and its host port is open");
    conclude;
  end
endmodule
