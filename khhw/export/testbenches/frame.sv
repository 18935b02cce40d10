  // A clock of period 10. Inputs change at its falling edge; outputs are read there, or just before its rising edge.
  always #5 clk = !clk;

  int failures = 0;

  task automatic check(input bit holds, input string what);
    if (!holds) begin
      failures = failures + 1;
      $display("FAILED: %s", what);
    end
  endtask

  task automatic reset;
    clear_inputs;
    rst = 1'b1;
    repeat (4) @(negedge clk);
    rst = 1'b0;
    @(negedge clk);
  endtask

  task automatic conclude;
    if (failures != 0) $fatal(1, "%0d checks failed", failures);
    $display("passed");
    $finish;
  endtask

  initial begin
    repeat (20000) @(negedge clk);
    $fatal(1, "this takes too long: something was waited for in vain");
  end
