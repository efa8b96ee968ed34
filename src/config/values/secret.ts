/** Secrets: written out, or better read from a file or an environment variable when they are needed. */
import { z } from 'zod';
import { refuse } from '../refuse.ts';
import { filePath } from './path.ts';

/** Where a secret comes from. `secret-value.ts` reads it; nothing else looks inside, and nothing logs it. */
export type SecretSource =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'env'; readonly env: string };

/** A secret: text, `{file: PATH}` or `{env: NAME}`. Parsed to its source, not read. */
export function secret() {
  return z
    .union(
      [
        z.string(),
        z.strictObject({ file: filePath().optional(), env: z.string({ error: 'the name of a variable' }).optional() }),
      ],
      { error: 'a secret: text, {file: PATH} or {env: NAME}' },
    )
    .meta({ 'x-type': 'secret' })
    .transform((value, context): SecretSource => {
      if (typeof value === 'string') {
        if (value !== '') return { kind: 'value', value };
        return refuse(context, 'CONFIG_SECRET', 'the secret is empty', 'write the secret, {file: PATH} or {env: NAME}');
      }
      const { file, env } = value;
      if (file !== undefined && env === undefined) return { kind: 'file', file };
      if (env !== undefined && file === undefined) return { kind: 'env', env };
      return refuse(
        context,
        'CONFIG_CHOICE',
        'a secret comes from exactly one of file and env',
        'keep {file: PATH} or {env: NAME}',
      );
    });
}
