// The benchmark's processes: each is the same bundle, started with a role and told what to do over IPC.
import { fork, type ChildProcess } from 'node:child_process';
import { measure, type Measure, type Measured, type Target } from './caller.ts';
import { runEndpoint, type EndpointReady, type EndpointWish } from './endpoint.ts';
import { idle, type IdleWish } from './idlers.ts';
import { runPool } from './pool.ts';
import { runSplice } from './sniSplice.ts';

type Roles = {
  endpoint: { wish: EndpointWish; told: EndpointReady };
  pool: { wish: null; told: { port: number; poolPort: number } };
  splice: { wish: number; told: { port: number } };
  idlers: { wish: IdleWish; told: { held: number } };
  caller: { wish: { target: Target; measure: Measure }; told: Measured };
};
type Role = keyof Roles;

const acts: { [R in Role]: (wish: Roles[R]['wish']) => Promise<Roles[R]['told']> } = {
  endpoint: runEndpoint,
  pool: () => runPool(),
  splice: runSplice,
  idlers: idle,
  caller: ({ target, measure: wish }) => measure(target, wish),
};

/** What a forked process does instead of benchmarking; false in the one that was started by a person. */
export function playRole(): boolean {
  const role = process.argv[2] as Role | undefined;
  if (role === undefined || !Object.hasOwn(acts, role) || !process.send) return false;
  process.on('message', (wish) => {
    (acts[role] as (wish: unknown) => Promise<unknown>)(wish).then(
      (told) => process.send?.({ told }),
      (error: unknown) => process.send?.({ error: String(error instanceof Error ? error.stack : error) }),
    );
  });
  process.once('disconnect', () => process.exit());
  return true;
}

export class Player<R extends Role> {
  readonly child: ChildProcess;

  constructor(role: R) {
    this.child = fork(__filename, [role], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** One wish at a time. */
  ask(wish: Roles[R]['wish']): Promise<Roles[R]['told']> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`a process of the benchmark ended with ${code}`));
      this.child.once('exit', ended);
      this.child.once('message', (message: { told?: Roles[R]['told']; error?: string }) => {
        this.child.off('exit', ended);
        if (message.error !== undefined) reject(new Error(message.error));
        else resolve(message.told as Roles[R]['told']);
      });
      this.child.send(wish as never);
    });
  }

  close(): void {
    this.child.kill('SIGKILL');
  }
}
