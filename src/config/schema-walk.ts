/** Reading the annotated JSON Schema for the generated documents. */
import type { SchemaNode } from './json-schema.ts';

/** One key of a map. */
export interface KeyEntry {
  readonly name: string;
  readonly node: SchemaNode;
  readonly required: boolean;
}

/** The keys of a map, in the order of the schema; none for anything else. */
export function entriesOf(node: SchemaNode): KeyEntry[] {
  return Object.entries(node.properties ?? {}).map(([name, child]) => ({
    name,
    node: child,
    required: node.required?.includes(name) ?? false,
  }));
}

/** The map that a value is or may be; undefined when it cannot be one with known keys. */
export function mapOf(node: SchemaNode): SchemaNode | undefined {
  if (node.properties !== undefined) return node;
  // A secret's map is part of its type and needs no rows of its own.
  if (node['x-type'] === 'secret') return undefined;
  return node.anyOf?.map(mapOf).find((found) => found !== undefined);
}

/** True for a map with known keys. */
export function isMap(node: SchemaNode): boolean {
  return mapOf(node) !== undefined;
}

/** The items of a list; undefined for anything else. */
export function listItemOf(node: SchemaNode): SchemaNode | undefined {
  return node.items;
}

/** A value in YAML's flow style on one line: `{names: [a.example], local_ca: true}`. */
export function flow(value: unknown): string {
  if (typeof value === 'string') return isPlain(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, each]) => `${flow(key)}: ${flow(each)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** True when YAML reads the bare text as this very string, also inside brackets. */
function isPlain(text: string): boolean {
  if (!/^[A-Za-z0-9/.…](?:[^,[\]{}#:\s"']| (?=\S)|:(?=[^\s,[\]{}]))*$/.test(text)) return false;
  return !/^(?:true|false|null|~|[-+.]?\d[\d_.eE+-]*|0[xo][\dA-Fa-f]+)$/i.test(text);
}
