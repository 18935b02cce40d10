// Carries one after the other: the fewest look-ups, and depth costs nothing in a simulation.
(* techmap_celltype = "$lcu" *)
module khhw_ripple_carry (P, G, CI, CO);
    parameter WIDTH = 2;
    (* force_downto *) input [WIDTH-1:0] P, G;
    input CI;
    (* force_downto *) output [WIDTH-1:0] CO;
    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin: bit
            if (i == 0) assign CO[i] = G[i] | (P[i] & CI);
            else assign CO[i] = G[i] | (P[i] & CO[i-1]);
        end
    endgenerate
endmodule
