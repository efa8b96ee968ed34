import type { Step } from '../types.ts';
import { fetchWellKnown } from '../well-known.ts';

/** Step 3: ask the hostname for a document that names another server. */
export function wellKnownStep(title: string): Step {
  return {
    number: '3',
    title,
    run: async (context) => {
      const { seen, name } = await fetchWellKnown(context, context.name.hostname);
      return name === null ? { kind: 'no-document', seen } : { kind: 'delegated', name, seen };
    },
  };
}
