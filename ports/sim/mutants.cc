// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/mutants.hpp"

#include "ports/sim/ring_model.hpp"
#include "ports/sim/world.hpp"

namespace hv::sim {

namespace {
constexpr Mutant kMutants[] = {
    {1, "the signal on read is decided from a stale index"},
    {2, "a signal is decided by what is in flight, not by the ring"},
    {3, "loads are reordered when the ring is read: a stale packet"},
    {4, "the interrupt handler changes the mask under the reader"},
    {5, "a callback is called that is not set"},
    {6, "an open that nobody waits for any more is still listed"},
    {7, "a rescind uses the device after its last put"},
    {8, "several rescinds for one channel"},
    {9, "a second offer overwrites the entry of its relid"},
    {10, "a message's size is read twice"},
    {11, "offers and rescinds wait in one queue for each other"},
    {12, "the target CPU goes offline between choice and listing"},
    {13, "a CPU goes offline with a modify-channel in flight"},
    {14, "unload is said twice in a panic"},
    {15, "resume: a missing offer is never noticed, a relid that changed is not taken over"},
    {16, "a page that the hypervisor writes to stays enabled over kexec"},
    {17, "the dump kernel of a confidential VM touches shared pages"},
    {18, "GPADL memory is freed when the teardown has failed"},
    {19, "pages that could not be made private are given back"},
    {20, "uninitialised bytes in a message to the host"},
    {21, "transaction id 0 is taken for a request"},
    {22, "a failed submit keeps its request id: they run out"},
    {23, "a channel's object is put twice when it cannot be registered"},
    {24, "a CPU's pages are freed when it goes offline, and again at the end"},
    {25, "netvsc: a completion comes before the queue is stopped, and it is never woken"},
    {26, "netvsc: the poll ends when completions find no room: it stalls"},
    {27, "netvsc: polling is allowed after the channel opens: the first signal is lost"},
    {28, "netvsc: removed before sub-channels have come: what was never enabled is disabled"},
    {29, "netvsc: the first queue's polling is disabled again and again"},
    {30, "netvsc: a virtual function that is there before the driver is never joined"},
    {31, "netvsc: the probe waits under RTNL for sub-channels that need it"},
    {32, "netvsc: frames take the virtual function before the host has answered"},
    {33, "netvsc: a virtual function is moved to another namespace by a notifier"},
    {34, "netvsc: an old host's send table is looked for where it says"},
    {35, "netvsc: an old host's link status is refused for its length"},
    {36, "netvsc: frames are sent before the buffers are set up"},
    {37, "netvsc: a header of RNDIS crosses a page"},
    {38, "netvsc: a frame that found no room stays mapped, and the next one is given its pages"},
    {39, "netvsc: what was made for RNDIS is leaked on hot remove"},
    {40, "netvsc: an interface is not closed before the host has nothing of ours"},
    {67, "netvsc: per-packet information of size 0 is looked at for ever"},
    {68, "netvsc: a completion is taken for one of another kind"},
    {69, "netvsc: closing waits for an empty ring, though the host does not heed the filter"},
    {70, "netvsc: the device is halted before its frames are sent"},
    {71, "netvsc: completions wait for a frame that never goes out, and no timer runs"},
};
}  // namespace

std::span<const Mutant> mutants() { return kMutants; }

std::string catch_mutant(const Mutant& mutant, uint64_t most_seeds) {
  if (mutant.number == 3) {
    // No interleaving on one machine shows it: the memory model does.
    const auto outcome = check_ring_model(0, Weaken::Acquire);
    return outcome.ok ? std::string() : "model: " + outcome.why.substr(0, outcome.why.find(';'));
  }
  std::string how;
  set_mutant(mutant.number);
  for (uint64_t seed = 1; seed <= most_seeds && how.empty(); seed++) {
    const auto outcome = run_world(seed, false);
    if (!outcome.ok) how = "seed " + std::to_string(seed) + ": " + outcome.why;
  }
  set_mutant(0);
  return how;
}

}  // namespace hv::sim
