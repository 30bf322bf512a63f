// SPDX-License-Identifier: GPL-2.0-only OR MIT
DefinitionBlock ("", "DSDT", 2, "ENLTEN", "ENLIGHTN", 1)
{
    // Power-off: the values the PM1 control register takes (vmm/acpi/tables.hpp, kSleepTypeOff).
    Name (\_S5, Package (4) { 5, 0, 0, 0 })

    Scope (\_SB)
    {
        // The module that holds the windows for memory-mapped devices, and in it the bus, as in a
        // generation 2 machine.
        Device (VMOD)
        {
            Name (_HID, "ACPI0004")
            Name (_UID, Zero)
            Name (_CRS, ResourceTemplate ()
            {
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0x00000000, 0xE0000000, 0xFEBFFFFF, 0x00000000, 0x1EC00000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0x0000000000000000, 0x0000001000000000, 0x0000001FFFFFFFFF,
                    0x0000000000000000, 0x0000001000000000)
            })

            Device (VMBS)
            {
                Name (_HID, "VMBUS")
                Name (_DDN, "VMBUS")
                Name (_UID, Zero)
                Method (_STA, 0, NotSerialized) { Return (0x0F) }
            }
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, One)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
                IRQNoFlags () { 4 }
            })
        }

        Device (COM2)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 2)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x02F8, 0x02F8, 0x01, 0x08)
                IRQNoFlags () { 3 }
            })
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
            })
        }
    }
}
