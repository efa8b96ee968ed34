/** The config's schema as JSON Schema (draft 2020-12): for editors, for `portico schema`, and for the generated documents. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

/** A node of the schema, as far as this project produces them. `x-` keys are for the documents and not published. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly 'x-type'?: string;
  readonly 'x-absent'?: string;
  /** Zod drops `examples` of values that are transformed; published as `examples`. */
  readonly 'x-examples'?: readonly unknown[];
}

/** The schema with the `x-` keys that only the generated documents need. */
export function annotatedSchema(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12', reused: 'inline' }) as SchemaNode;
}

/** The JSON Schema of the config file, as `portico schema` prints it. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = withoutAnnotations(annotatedSchema()) as Record<string, unknown>;
  const { $schema, ...rest } = schema;
  return { $schema, title: 'Portico configuration', description: 'One YAML file; see docs/configuration.md.', ...rest };
}

function withoutAnnotations(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutAnnotations);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key]) => key !== 'x-type' && key !== 'x-absent')
      .map(([key, value]) => [key === 'x-examples' ? 'examples' : key, withoutAnnotations(value)]),
  );
}
