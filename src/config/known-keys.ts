/** Which keys a map at some place of the config may have. */
import { annotatedSchema, type SchemaNode } from './json-schema.ts';

/** A function that lists the known keys at a path; builds what it needs on its first use. */
export function createKnownKeys(): (path: readonly (string | number)[]) => readonly string[] {
  let root: SchemaNode | undefined;
  return (path) => {
    root ??= annotatedSchema();
    let nodes: readonly SchemaNode[] = [root];
    for (const step of path)
      nodes = nodes.flatMap((node) => alternatives(node)).flatMap((node) => children(node, step));
    return nodes.flatMap((node) => alternatives(node)).flatMap((node) => Object.keys(node.properties ?? {}));
  };
}

function alternatives(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(alternatives);
}

function children(node: SchemaNode, step: string | number): SchemaNode[] {
  const child = typeof step === 'number' ? node.items : node.properties?.[step];
  return child === undefined ? [] : [child];
}
