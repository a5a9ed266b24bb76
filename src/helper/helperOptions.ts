// What a helper is started with.
import type { Clock, Random } from '../core/clock.ts';
import type { StatePaths } from './statePaths.ts';

export type HelperOptions = {
  paths: StatePaths;
  env: NodeJS.ProcessEnv;
  /** Folders of the workspace: their policy files restrict, unless the workspace is not trusted. */
  folders: readonly string[];
  trusted: boolean;
  /** One more policy file (`--policy`). */
  extraPolicy?: string;
  isAlive: (helperId: string) => Promise<boolean>;
  clock: Clock;
  random: Random;
};
