/**
 * The access log: one JSON line for each exchange, in the shape of pino's lines (`level` 30, `time` in milliseconds, `msg`
 * `request`), so that one reader understands both. On the hot path a line is one string concatenation; lines leave in
 * batches.
 */
import type { AccessEntry } from './access-entry.ts';
import { redactTarget } from './redact.ts';

/** Takes entries; see {@link AccessLog} and {@link NO_ACCESS_LOG}. */
export interface AccessLogger {
  /** Writes the entry down; the entry may be reused after the call. Never throws. */
  record(entry: AccessEntry): void;
  /** Hands over what was collected. */
  flush(): void;
  /** Flushes and stops the timer; later entries are still written, each at once. */
  close(): void;
}

/** Options of {@link AccessLog}. */
export interface AccessLogOptions {
  /** Takes whole lines of ASCII, each with its newline. */
  readonly write: (batch: string) => unknown;
  /** The origin that an Authorization value claims, or null: `xMatrixOrigin`. Must not throw. */
  readonly originOf: (authorization: string | null) => string | null;
  /** A batch leaves when it has this many bytes; default 64 KiB. */
  readonly maxBatchBytes?: number;
  /** A batch leaves after this time at the latest; default and maximum 250 ms. */
  readonly flushIntervalMs?: number;
  /** Bytes that the receiver still holds; asked once a batch. Without it the receiver bounds its own memory. */
  readonly pendingBytes?: () => number;
  /** With more pending than this a batch is dropped; default 16 MiB. */
  readonly maxPendingBytes?: number;
  /** Told how many lines were dropped. */
  readonly onDropped?: (lines: number) => void;
}

const MAX_FLUSH_INTERVAL_MS = 250;
const DEFAULT_MAX_BATCH_BYTES = 64 * 1024;
const DEFAULT_MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** The access log when it is on. */
export class AccessLog implements AccessLogger {
  readonly #options: AccessLogOptions;
  readonly #maxBatchBytes: number;
  readonly #flushIntervalMs: number;
  readonly #maxPendingBytes: number;
  #batch = '';
  #lines = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#maxBatchBytes = options.maxBatchBytes ?? DEFAULT_MAX_BATCH_BYTES;
    this.#flushIntervalMs = Math.min(options.flushIntervalMs ?? MAX_FLUSH_INTERVAL_MS, MAX_FLUSH_INTERVAL_MS);
    this.#maxPendingBytes = options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES;
  }

  record(entry: AccessEntry): void {
    this.#batch += accessLine(entry, this.#options.originOf(entry.authorization));
    this.#lines++;
    if (this.#closed || this.#batch.length >= this.#maxBatchBytes) {
      this.flush();
    } else {
      this.#timer ??= setTimeout(this.#onTimer, this.#flushIntervalMs).unref();
    }
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#lines === 0) return;
    const batch = this.#batch;
    const lines = this.#lines;
    this.#batch = '';
    this.#lines = 0;
    const { pendingBytes, onDropped, write } = this.#options;
    if (pendingBytes !== undefined && pendingBytes() > this.#maxPendingBytes) onDropped?.(lines);
    else write(batch);
  }

  close(): void {
    this.#closed = true;
    this.flush();
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.flush();
  };
}

/** The access log when it is off. */
export const NO_ACCESS_LOG: AccessLogger = {
  record: () => undefined,
  flush: () => undefined,
  close: () => undefined,
};

/** The line of one exchange, with its newline; pure ASCII, so that its length is its size in bytes. */
function accessLine(entry: AccessEntry, origin: string | null): string {
  return (
    '{"level":30,"time":' +
    String(entry.time) +
    ',"msg":"request","site":"' +
    escapeJson(entry.site) +
    '","class":"' +
    entry.requestClass +
    '","method":"' +
    escapeJson(entry.method) +
    '","path":"' +
    escapeJson(redactTarget(entry.target)) +
    '","status":' +
    String(entry.status) +
    ',"outcome":"' +
    entry.outcome +
    (entry.errorCode === null ? '","error":null' : '","error":"' + escapeJson(entry.errorCode) + '"') +
    ',"bytes_in":' +
    String(entry.bytesIn) +
    ',"bytes_out":' +
    String(entry.bytesOut) +
    ',"duration_ms":' +
    milliseconds(entry.durationMs) +
    ',"upstream_ms":' +
    (entry.upstreamMs === null ? 'null' : milliseconds(entry.upstreamMs)) +
    (entry.upstream === null ? ',"upstream":null' : ',"upstream":"' + escapeJson(entry.upstream) + '"') +
    (entry.tls === null ? ',"tls":null' : ',"tls":"' + entry.tls + '"') +
    ',"protocol":"' +
    entry.protocol +
    '","peer":"' +
    escapeJson(entry.peer) +
    '","request_id":"' +
    escapeJson(entry.requestId) +
    (origin === null ? '","origin":null}\n' : '","origin":"' + escapeJson(origin) + '"}\n')
  );
}

/** Tenths of a millisecond are enough, and `toFixed` is slower. */
function milliseconds(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/**
 * Escapes a string for JSON so that only printable ASCII is left. Targets are one character per byte: a raw byte 0xe9
 * becomes `\u00e9`, which shows the byte that was sent instead of guessing its encoding.
 */
function escapeJson(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return escapeFrom(text, at);
  }
  return text;
}

function escapeFrom(text: string, first: number): string {
  let result = text.slice(0, first);
  for (let at = first; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) result += '\\"';
    else if (code === 0x5c) result += '\\\\';
    else if (code < 0x20 || code > 0x7e) result += '\\u' + code.toString(16).padStart(4, '0');
    else result += text.charAt(at);
  }
  return result;
}
