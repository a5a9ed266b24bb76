// Ends the servers when this process can no longer do it, even after kill -9: one small process that knows their pids
// and notices that its pipe to us has closed. Most servers end by themselves when their stdin closes; this is for the
// others. A shell costs one megabyte and no start-up time, and needs nothing that POSIX does not have.
// What a server started in a process group of its own is out of its reach; an orderly close (processTree.ts) ends that too.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** From the polite signal to the one that cannot be ignored, in tenths of a second. */
const GRACE_TENTHS = 15;

/**
 * Lines come in: `+ PID` to guard, `- PID` to forget. The traps keep a Ctrl-C meant for us from ending it first.
 * Only `kill -s NAME --` takes a process group in every shell that stands for sh.
 */
const POSIX_PROGRAM = `
trap '' HUP INT TERM
pids=
while read -r word pid; do
  case $word in
    +) pids="$pids $pid" ;;
    -) kept=; for p in $pids; do [ "$p" = "$pid" ] || kept="$kept $p"; done; pids=$kept ;;
  esac
done
lives() { for p in $pids; do kill -s 0 -- "-$p" 2>/dev/null && return 0; done; return 1; }
for p in $pids; do kill -s TERM -- "-$p" 2>/dev/null; done
tenths=0
while lives && [ $tenths -lt ${GRACE_TENTHS} ]; do sleep 0.1 2>/dev/null || sleep 1; tenths=$((tenths + 1)); done
for p in $pids; do kill -s KILL -- "-$p" 2>/dev/null; done
`;

const WINDOWS_PROGRAM = `
const pids = new Set();
require('node:readline').createInterface({ input: process.stdin })
  .on('line', (line) => line[0] === '+' ? pids.add(line.slice(2)) : pids.delete(line.slice(2)))
  .on('close', () => {
    for (const pid of pids) {
      require('node:child_process').spawn('taskkill', ['/PID', pid, '/T', '/F'], { windowsHide: true, stdio: 'ignore' });
    }
  });
`;

export class ProcessGuardian {
  readonly #pids = new Set<number>();
  #process: ChildProcess | undefined;
  #closed = false;

  /** Guards the process group led by `pid` until the returned function is called. */
  watch(pid: number): () => void {
    if (this.#closed) return () => {};
    this.#pids.add(pid);
    if (this.#process) this.#tell('+', pid);
    else this.#start();
    return () => {
      if (this.#pids.delete(pid)) this.#tell('-', pid);
    };
  }

  /** Lets it go; what is still guarded then is ended by it. */
  async close(): Promise<void> {
    this.#closed = true;
    const guardian = this.#process;
    if (!guardian || guardian.exitCode !== null || guardian.signalCode !== null) return;
    guardian.ref();
    const exited = once(guardian, 'exit');
    guardian.stdin?.end();
    await exited;
  }

  #start(): void {
    const [file, args, env] = program();
    const guardian = spawn(file, args, {
      // A session of its own: signals for our process group do not reach it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      windowsHide: true,
      cwd: process.platform === 'win32' ? undefined : '/',
      env,
    });
    this.#process = guardian;
    guardian.unref();
    (guardian.stdin as unknown as { unref(): void }).unref();
    guardian.stdin?.on('error', () => {}); // It was killed; 'exit' follows.
    const gone = (): void => {
      if (this.#process !== guardian) return;
      this.#process = undefined;
      // The next server starts another; those that run now are guarded by it as well.
    };
    guardian.on('exit', gone);
    guardian.on('error', gone); // No shell: stdin closing is all the protection there is.
    for (const pid of this.#pids) this.#tell('+', pid);
  }

  #tell(word: '+' | '-', pid: number): void {
    this.#process?.stdin?.write(`${word} ${pid}\n`);
  }
}

function program(): [file: string, args: string[], env: Record<string, string>] {
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  if (process.platform !== 'win32') return ['/bin/sh', ['-c', POSIX_PROGRAM], { PATH: path }];
  const env = { PATH: path, SystemRoot: process.env['SystemRoot'] ?? '', ELECTRON_RUN_AS_NODE: '1' };
  return [process.execPath, ['-e', WINDOWS_PROGRAM], env];
}
