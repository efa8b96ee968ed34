/** `portico schema`: the JSON Schema of the config, for editors. */
import { configJsonSchema } from '../config/index.ts';
import { EXIT } from './command.ts';
import type { Command } from './command.ts';

/** The command. */
export const schemaCommand: Command = {
  description: `Prints the JSON Schema of the config. Editors with a YAML language server use it for completion and checks:
# yaml-language-server: $schema=portico.schema.json`,
  flags: {},
  run: (_flags, terminal) => {
    terminal.out(JSON.stringify(configJsonSchema(), null, 2));
    return Promise.resolve(EXIT.fine);
  },
};
