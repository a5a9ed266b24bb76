// What a command is: a row that says how it is called, and one function that does it with everything it needs handed
// in. A command reports failure by throwing; the frame turns that into a sentence and an exit code.
import type { Readable } from 'node:stream';
import type { Clock, Random } from '../core/clock.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { StatePaths } from '../helper/statePaths.ts';
import type { Output } from './output.ts';

export type CommandContext = {
  output: Output;
  paths: StatePaths;
  files: PrivateFiles;
  env: NodeJS.ProcessEnv;
  /** The folder the command was called in. */
  folder: string;
  stdin: Readable & { isTTY?: boolean };
  /** Aborted by the first SIGINT or SIGTERM, and when the reader of stdout has gone: close everything and return. */
  signal: AbortSignal;
  /** Aborted by Ctrl-C and a second SIGTERM: what is under way is not to be waited for. */
  urgent: AbortSignal;
  /** From now on SIGHUP calls `listener` and ends nothing. */
  onHangup: (listener: () => void) => void;
  clock: Clock;
  random: Random;
  /** What stood behind `--`; empty where the row does not take a command. */
  commandLine: readonly string[];
};

/** An option as commander spells it, what it says in the help, and how its text is read. */
export type OptionRow = {
  flags: string;
  help: string;
  /** Called for each value; throws `USAGE`. */
  parse?: (text: string, before: unknown) => unknown;
  default?: string;
  required?: boolean;
};

export type CommandRow = {
  /** `servers`, or `agents add` for a command inside a group. */
  name: string;
  /** Positional arguments as commander spells them: `[dir]`. */
  arguments?: string;
  summary: string;
  options: readonly OptionRow[];
  examples: readonly string[];
  /** Whether `-- COMMAND ARG…` may follow. */
  takesCommand?: boolean;
  /** `args` are in the order of `arguments`; `options` hold what commander read, named in camelCase. */
  run: (context: CommandContext, args: readonly (string | undefined)[], options: Options) => Promise<void>;
};

/** Read by each command with the types its own rows give. */
export type Options = Readonly<Record<string, unknown>>;
