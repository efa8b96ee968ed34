/**
 * Finds the rule for a method and a path: a trie over path segments, compiled once. Matching compares in place, allocates
 * nothing, and looks at each segment at most a few times.
 */
import { ENDPOINTS } from './endpoints.ts';
import type { EndpointRule } from './endpoints.ts';

/** Answers which rule of {@link ENDPOINTS} a request falls under. */
export interface EndpointTable {
  /**
   * The rule for a request. Segments of the pattern match only when they are spelled literally; a slash at the end of the
   * path is ignored, as homeservers do.
   * @param path - raw path without the query
   */
  classify(method: string, path: string): EndpointRule;
}

class Node {
  /** Literal children by the length of their segment: one comparison tells most of them apart. */
  readonly literals: { readonly text: string; readonly node: Node }[][] = [];
  parameter: Node | null = null;
  /** Rules for a path that ends here. */
  readonly exact: EndpointRule[] = [];
  /** Rules for this path and everything below it. */
  readonly below: EndpointRule[] = [];
}

/**
 * Compiles a table of rules.
 * @param rules - must hold a `*` rule for `/**`, so that every request has one
 * @throws Error when it does not
 */
export function createEndpointTable(rules: readonly EndpointRule[] = ENDPOINTS): EndpointTable {
  const root = new Node();
  for (const rule of rules) {
    add(root, rule.pattern, rule);
    if (rule.pattern.includes('/{version}')) add(root, rule.pattern.replace('/{version}', '/api/v1'), rule);
  }
  const fallback = ruleFor(root.below, '');
  if (fallback === null) throw new Error('the endpoint table has no rule for the rest: "* /**"');
  return {
    classify: (method, path) => match(root, method, path, 0) ?? fallback,
  };
}

function add(root: Node, pattern: string, rule: EndpointRule): void {
  let node = root;
  for (const segment of pattern.split('/').slice(1)) {
    if (segment === '**') {
      node.below.push(rule);
      return;
    }
    node = segment.startsWith('{') ? (node.parameter ??= new Node()) : literalChild(node, segment);
  }
  node.exact.push(rule);
}

function literalChild(node: Node, text: string): Node {
  // Fill the gaps: an array with holes is slower to read.
  while (node.literals.length <= text.length) node.literals.push([]);
  const siblings = node.literals[text.length] ?? [];
  const known = siblings.find((child) => child.text === text);
  if (known !== undefined) return known.node;
  const child = { text, node: new Node() };
  siblings.push(child);
  return child.node;
}

/**
 * @param at - position of the slash before the next segment, or the end of the path
 * @returns the most specific rule at or below this node, null when there is none
 */
function match(node: Node, method: string, path: string, at: number): EndpointRule | null {
  if (at >= path.length - 1 && (at === path.length || path.charCodeAt(at) === 0x2f)) {
    return ruleFor(node.exact, method) ?? ruleFor(node.below, method);
  }
  if (path.charCodeAt(at) !== 0x2f) return null;
  const start = at + 1;
  const slash = path.indexOf('/', start);
  const end = slash === -1 ? path.length : slash;
  const siblings = node.literals[end - start];
  if (siblings !== undefined) {
    for (const { text, node: child } of siblings) {
      if (!path.startsWith(text, start)) continue;
      const found = match(child, method, path, end);
      if (found !== null) return found;
      break;
    }
  }
  const found = node.parameter === null ? null : match(node.parameter, method, path, end);
  return found ?? ruleFor(node.below, method);
}

function ruleFor(rules: readonly EndpointRule[], method: string): EndpointRule | null {
  for (const rule of rules) {
    if (rule.method === '*' || rule.method === method || (rule.method === 'GET' && method === 'HEAD')) return rule;
  }
  return null;
}
