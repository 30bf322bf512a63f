# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Writes OUTPUT, a C++ source with the bytes of the table in INPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"vmm/acpi/tables.hpp\"

namespace hv::vmm::acpi {

std::span<const std::byte> embedded_dsdt() {
  alignas(16) static constexpr unsigned char table[] = {${bytes}};
  return std::as_bytes(std::span(table));
}

}  // namespace hv::vmm::acpi
")
