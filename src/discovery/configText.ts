// What reading a configuration file gives, whatever its client and syntax: entries and faults, nothing resolved yet.
import type { ServerInput } from '../core/server.ts';
import type { Fault } from './configDocument.ts';

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
    | {
        kind: 'http';
        url: string;
        headers: [string, string][];
        /** Headers whose values stand in the environment: `prefix` and the variable's value. */
        envHeaders?: { header: string; prefix: string; variable: string }[];
      };
  /** What keeps it from being exposed as it stands. */
  problems: string[];
};

export type ConfigText = {
  entries: ServerEntry[];
  /** Parts that could not be read. */
  faults: Fault[];
  /** What the file itself asks a person for, by id. */
  inputs: Map<string, ServerInput>;
};
