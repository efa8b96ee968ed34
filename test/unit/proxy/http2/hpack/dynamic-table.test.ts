import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DynamicTable } from '../../../../../src/proxy/http2/hpack/dynamic-table.ts';
import { EncoderTable } from '../../../../../src/proxy/http2/hpack/encoder-table.ts';
import { sizeOf, type Field } from './blocks.ts';

function entriesOf(table: DynamicTable): (Field | undefined)[] {
  return Array.from({ length: table.length }, (_, at) => {
    const name = table.name(at);
    const value = table.value(at);
    return name === undefined || value === undefined ? undefined : [name, value];
  });
}

/** The rules of RFC 7541 §4 in their plainest form: a list, newest first. */
class ModelTable {
  entries: Field[] = [];
  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  add(name: string, value: string): void {
    this.entries.unshift([name, value]);
    this.#evict();
  }

  resize(capacity: number): void {
    this.capacity = capacity;
    this.#evict();
  }

  #evict(): void {
    while (sizeOf(this.entries) > this.capacity) this.entries.pop();
  }
}

type Step = { add: Field } | { resize: number };
const steps = fc.array(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({
        add: fc.tuple(fc.constantFrom('a', 'bb', 'x-long-name'), fc.string({ maxLength: 60 })),
      }),
    },
    { weight: 1, arbitrary: fc.record({ resize: fc.integer({ min: 0, max: 6000 }) }) },
  ),
  { maxLength: 200 },
) as fc.Arbitrary<Step[]>;

describe('tables of both directions', () => {
  it('hold what the rules of RFC 7541 §4 say, through any additions and sizes', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const model = new ModelTable(4096);
        const table = new DynamicTable(4096);
        const finder = new EncoderTable(4096);
        for (const step of sequence) {
          if ('add' in step) {
            for (const each of [model, table, finder]) each.add(...step.add);
          } else {
            for (const each of [model, table, finder]) each.resize(step.resize);
          }
          expect(entriesOf(table)).toEqual(model.entries);
          expect(table.size).toBe(sizeOf(model.entries));
          expect(finder.size).toBe(sizeOf(model.entries));
          model.entries.forEach(([name, value], at) => {
            const newestSame = model.entries.findIndex((entry) => entry[0] === name && entry[1] === value);
            expect(finder.find(name, value)).toBe(62 + newestSame);
            if (at === newestSame) {
              const newestName = model.entries.findIndex((entry) => entry[0] === name);
              expect(finder.find(name, 'never added, longer than any value that the steps above can make up')).toBe(
                -(62 + newestName),
              );
            }
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('have nothing past their end', () => {
    const table = new DynamicTable(4096);
    table.add('a', '1');
    expect(table.name(1)).toBeUndefined();
    expect(table.value(1)).toBeUndefined();
    expect(new EncoderTable(4096).find('a', '1')).toBe(0);
  });

  it('are emptied by an entry larger than they are (§4.4)', () => {
    const table = new DynamicTable(100);
    table.add('a', '1');
    table.add('b', 'x'.repeat(68));
    expect(table.length).toBe(0);
    expect(table.size).toBe(0);
  });

  it('take an entry exactly as large as they are', () => {
    const table = new DynamicTable(100);
    table.add('b', 'x'.repeat(67));
    expect(entriesOf(table)).toEqual([['b', 'x'.repeat(67)]]);
  });
});
