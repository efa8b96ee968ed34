/** The first line of /proc/stat. */

/** Microseconds of one tick of /proc's clock. */
const TICK_MICROS = 10_000;

/**
 * Time that all CPUs together were busy since the machine started, in microseconds; also what a hypervisor gave to others
 * instead (proc(5): user, nice, system, then idle and iowait, which do not count, irq, softirq, steal).
 */
export function parseBusyMicros(text: string): number {
  const fields = /^cpu\s+([\d ]+)$/m.exec(text)?.[1]?.split(' ').map(Number);
  if (fields === undefined || fields.length < 8) throw new Error(`not /proc/stat: ${text.slice(0, 80)}`);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) * TICK_MICROS;
}
