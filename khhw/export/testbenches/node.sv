// The owner's control packet goes down the tree and its answer up; the host port is shut until the owner opens it.
module khhw_node_tb;
  //@ instance
  //@ frame

  localparam int WORDS = 4;
  localparam int FLITS = 3 + WORDS;
  localparam logic [1:0] OKAY = 2'd0, SLVERR = 2'd2;

  logic [63:0] sent [FLITS];
  logic [63:0] answer [FLITS];

  // A control packet for the node with rank 0, as the port above the root stamps it.
  task automatic prepare;
    tree_header_t head;
    link_header_t link;
    head = '0;
    head.p2p = 1'b1;
    head.owner = 1'b1;
    head.external = 1'b1;
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
    sent[5] = {CONTROL_OP_READ, REG_MAGIC, 32'h0};
    sent[6] = {CONTROL_OP_WRITE, REG_HOLD, 32'h0};
  endtask

  // The node has room for two packets a channel after reset.
  task automatic send;
    for (int i = 0; i < FLITS; i = i + 1) begin
      parent_rx_channel = TREE_CHANNEL_OWNER;
      parent_rx_flit = '0;
      parent_rx_flit.first = i == 0;
      parent_rx_flit.last = i == FLITS - 1;
      parent_rx_flit.data = sent[i];
      parent_rx_valid = 1'b1;
      @(negedge clk);
    end
    parent_rx_valid = 1'b0;
  endtask

  task automatic receive;
    for (int i = 0; i < FLITS; i = i + 1) begin
      while (!parent_tx_valid) @(negedge clk);
      check(parent_tx_channel == TREE_CHANNEL_OWNER, "the answer comes on the owner's channel");
      check(parent_tx_flit.first == (i == 0) && parent_tx_flit.last == (i == FLITS - 1), "the answer has its length");
      answer[i] = parent_tx_flit.data;
      @(negedge clk);
    end
    parent_tx_credit[TREE_CHANNEL_OWNER] = 1'b1;
    @(negedge clk);
    parent_tx_credit = '0;
  endtask

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

  initial begin
    logic [31:0] value;
    logic [1:0] response;
    tree_header_t head;
    reset;
    straps.size_x = 7'd1;
    straps.size_y = 7'd1;
    straps.size_z = 7'd1;
    check(held, "a node is held after reset");
    read(REG_MAGIC, value, response);
    check(response == SLVERR, "the host port of a node that is held is shut");

    prepare;
    fork
      send;
      receive;
    join
    head = answer[0];
    check(head.vector == EXTERNAL && head.words == FLITS - 1, "the answer goes to the owner");
    check(answer[2][63:0] == sent[2] && answer[1][31:16] == 16'h0, "the answer has the number of its question");
    check(answer[3] == sent[3], "the owner's write is done");
    check(answer[4][31:0] == 32'hc0ffee01, "the owner reads what it has written");
    check(answer[5][63:56] == (CONTROL_OP_READ | CONTROL_OP_FAILED), "what the owner may not read is refused");

    while (held) @(negedge clk);
    read(REG_MAGIC, value, response);
    check(value == MAGIC && response == OKAY, "the host port is open when the owner has ended the hold");
    conclude;
  end
endmodule
