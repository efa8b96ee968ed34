/**
 * The header fields of one message, in the order and spelling they came in. Fields that were parsed are positions in the text
 * of their head: a name or value becomes a string of its own only when somebody asks for it, and neighbouring lines that
 * were written just as we would write them are taken over as one piece. Made for every message, so it allocates little.
 */
import { FieldId } from './field-names.ts';

export { FieldId } from './field-names.ts';

/** Numbers a field: its id, start and end of its name, start and end of its value. */
const STRIDE = 5;
const CR = 0x0d;
const SP = 0x20;

/** The fields of one message. */
export class FieldList {
  /** The head as latin1; only the parser's fields lie in it. */
  readonly #text: string;
  /** Of a field that was added, the start of its name is -1 and the end its place in `#added`. */
  readonly #entries: number[] = [];
  /** Names and values in turn. */
  #added: string[] | null = null;

  /** @param text - the head that parsed fields lie in, as latin1 */
  constructor(text = '') {
    this.#text = text;
  }

  /** Appends a field that lies in the text. */
  addAt(id: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    this.#entries.push(id, nameStart, nameEnd, valueStart, valueEnd);
  }

  /** Appends a field. */
  add(id: number, name: string, value: string): void {
    const added = (this.#added ??= []);
    this.#entries.push(id, -1, added.length, 0, 0);
    added.push(name, value);
  }

  get length(): number {
    return this.#entries.length / STRIDE;
  }

  /** What the name of a field means: one of {@link FieldId}. */
  id(index: number): number {
    return this.#entries[index * STRIDE] ?? FieldId.other;
  }

  /** The name of a field, in the spelling it came in. */
  name(index: number): string {
    const at = index * STRIDE;
    const start = this.#entries[at + 1] ?? 0;
    const end = this.#entries[at + 2] ?? 0;
    return start === -1 ? (this.#added?.[end] ?? '') : this.#text.slice(start, end);
  }

  /** The value of a field, without the white space around it. */
  value(index: number): string {
    const at = index * STRIDE;
    if (this.#entries[at + 1] === -1) return this.#added?.[(this.#entries[at + 2] ?? 0) + 1] ?? '';
    return this.#text.slice(this.#entries[at + 3], this.#entries[at + 4]);
  }

  /** The value of the first field with this id, or null. */
  first(id: number): string | null {
    const entries = this.#entries;
    for (let at = 0; at < entries.length; at += STRIDE) if (entries[at] === id) return this.value(at / STRIDE);
    return null;
  }

  /** All values with this id, in order. */
  all(id: number): string[] {
    const values: string[] = [];
    for (let index = 0; index < this.length; index++) if (this.id(index) === id) values.push(this.value(index));
    return values;
  }

  /**
   * The fields as lines of HTTP/1, `Name: value` and CR LF (RFC 9112 §5).
   * @param dropped - by id, 1 for fields that end at this hop
   * @param connectionNames - lower-case names that end here too, if nothing else is known of them (RFC 9110 §7.6.1)
   */
  lines(dropped: Uint8Array, connectionNames: readonly string[] | null): string {
    const entries = this.#entries;
    let text = '';
    let runStart = 0;
    let runEnd = 0;
    for (let at = 0; at < entries.length; at += STRIDE) {
      const id = entries[at] ?? FieldId.other;
      if (dropped[id] === 1) continue;
      const index = at / STRIDE;
      if (connectionNames !== null && endsByName(id, this.name(index), connectionNames)) continue;
      const start = entries[at + 1] ?? 0;
      if (start !== -1 && this.#isAsWritten(at)) {
        if (start !== runEnd) {
          if (runEnd !== runStart) text += this.#text.slice(runStart, runEnd);
          runStart = start;
        }
        runEnd = (entries[at + 4] ?? 0) + 2;
        continue;
      }
      if (runEnd !== runStart) text += this.#text.slice(runStart, runEnd);
      runStart = runEnd = 0;
      text += `${this.name(index)}: ${this.value(index)}\r\n`;
    }
    return runEnd === runStart ? text : text + this.#text.slice(runStart, runEnd);
  }

  /** A parsed line that has one space behind the colon and none at its end, as lines are written here. */
  #isAsWritten(at: number): boolean {
    const nameEnd = this.#entries[at + 2] ?? 0;
    return (
      this.#entries[at + 3] === nameEnd + 2 &&
      this.#text.charCodeAt(nameEnd + 1) === SP &&
      this.#text.charCodeAt(this.#entries[at + 4] ?? 0) === CR
    );
  }
}

/** A stranger's Connection field can only remove fields without meaning to us (GHSA-gwhp-pf74-vj37). */
function endsByName(id: number, name: string, connectionNames: readonly string[]): boolean {
  if (id !== FieldId.other && id !== FieldId.accept && id !== FieldId.ifNoneMatch) return false;
  return connectionNames.includes(name.toLowerCase());
}

/**
 * True for a field that ends at this hop: hop-by-hop by name, or listed in Connection (RFC 9110 §7.6.1).
 * @param dropped - by id, as for {@link FieldList.lines}
 */
export function endsHere(
  dropped: Uint8Array,
  id: number,
  name: string,
  connectionNames: readonly string[] | null,
): boolean {
  return dropped[id] === 1 || (connectionNames !== null && endsByName(id, name, connectionNames));
}

function table(...ids: readonly number[]): Uint8Array {
  const dropped = new Uint8Array(Object.keys(FieldId).length);
  for (const id of ids) dropped[id] = 1;
  return dropped;
}

const HOP_BY_HOP = [
  FieldId.contentLength,
  FieldId.transferEncoding,
  FieldId.connection,
  FieldId.upgrade,
  FieldId.hopByHop,
  FieldId.http2Settings,
] as const;

/** What of a response does not pass; its framing is written anew. */
export const DROPPED_FROM_RESPONSES = table(...HOP_BY_HOP);
/** What of a request does not pass; framing, expectation and what is said of the client are written anew. */
export const DROPPED_FROM_REQUESTS = table(...HOP_BY_HOP, FieldId.forwarding, FieldId.xForwardedFor, FieldId.expect);
