// The one interface between discovery and a configuration format: text in, entries and faults out, nothing resolved,
// nothing thrown. `formats.ts` lists the readers there are.
import type { Fault } from './configDocument.ts';
import type { ServerFormat } from '../core/server.ts';
import type { VariableFamily } from './variables.ts';

/** One server as its file defines it, variables still in place. */
export type ServerEntry = {
  name: string;
  line: number;
  definition:
    | {
        kind: 'stdio';
        command: string;
        args: string[];
        env: [string, string | null][];
        envFile: string | undefined;
        cwd: string | undefined;
      }
    | { kind: 'http'; url: string; headers: [string, string][] };
  /** What keeps it from being exposed as it stands. */
  problems: string[];
};

export type ConfigText = {
  entries: ServerEntry[];
  /** Parts that could not be read. */
  faults: Fault[];
  /** What the file itself asks a person for: id → description. */
  inputs: Map<string, string>;
};

export interface ConfigReader {
  readonly format: ServerFormat;
  /** Where the file stands in a workspace folder, as path segments. */
  readonly path: readonly string[];
  readonly variables: VariableFamily;
  read(text: string): ConfigText;
}
