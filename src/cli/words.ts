/** Numbers as people say them. */
import { isIPv6 } from 'node:net';

/** `192.0.2.1:443`, `[2001:db8::1]:443`. */
export function hostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${String(port)}`;
}

/** `3 d 4 h`, `4 h 5 min`, `5 min`, `42 s`: two units at most. */
export function since(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${String(days)} d ${String(hours % 24)} h`;
  if (hours > 0) return `${String(hours)} h ${String(minutes % 60)} min`;
  return minutes > 0 ? `${String(minutes)} min` : `${String(seconds)} s`;
}

/** `in 29 days`, `in 1 day`, `today`, `1 day ago`; rounded down. */
export function daysLeft(days: number): string {
  const whole = Math.floor(days);
  const count = (n: number): string => `${String(n)} day${n === 1 ? '' : 's'}`;
  if (whole === 0) return 'today';
  return whole > 0 ? `in ${count(whole)}` : `${count(-whole)} ago`;
}
