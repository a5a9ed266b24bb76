// Ends the servers when this process can no longer do it, even after kill -9: one small process that knows their pids
// and notices that its pipe to us has closed. Most servers end by themselves when their stdin closes; this is for the
// others. A shell costs one megabyte and no start-up time, and needs nothing that POSIX does not have.
// It runs before the first server does, and hears of each one before that is started: between a server's start and the
// moment we know its pid it is found by a mark in its environment (Linux: /proc, elsewhere: ps; not on Windows).
// What a server started in a process group of its own is out of its reach; an orderly close (processTree.ts) ends that too.
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';

/** From the polite signal to the one that cannot be ignored, in tenths of a second. */
const GRACE_TENTHS = 15;

/** The variable that marks a server until its pid is known; random, and of no use to anybody. */
export const markName = 'MCP_TUNNEL_SERVER';

/**
 * Lines come in: `? MARK` a server is about to be started, `! MARK` it is not, or its pid is known; `+ PID` to guard,
 * `- PID` to forget. The traps keep a Ctrl-C meant for us from ending it first. The pipe closes after a server that is
 * being started has its own environment: until then that one holds the pipe open as well.
 * Only `kill -s NAME --` takes a process group in every shell that stands for sh.
 */
const POSIX_PROGRAM = `
trap '' HUP INT TERM
pids=
marks=
without() { kept=; for p in $1; do [ "$p" = "$2" ] || kept="$kept $p"; done; }
while read -r word what; do
  case $word in
    '?') marks="$marks $what" ;;
    '!') without "$marks" "$what"; marks=$kept ;;
    +) pids="$pids $what" ;;
    -) without "$pids" "$what"; pids=$kept ;;
  esac
done
marked() {
  if [ -r /proc/self/environ ]; then
    for file in $(grep -lsF "${markName}=$1" /proc/[0-9]*/environ); do file=\${file#/proc/}; echo "\${file%/environ}"; done
  else
    ps -axww -E -o pid= -o command= | grep -F "${markName}=$1" | while read -r pid _; do echo "$pid"; done
  fi
}
for mark in $marks; do pids="$pids $(marked "$mark")"; done
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

/** A server that is about to be started. */
export type Expected = {
  /** To be put into its environment. */
  mark: Record<string, string>;
  /** It runs as `pid`, the leader of its group; returns what ends the watch. */
  started(pid: number): () => void;
  /** It could not be started. */
  failed(): void;
};

export class ProcessGuardian {
  readonly #pids = new Set<number>();
  readonly #marks = new Set<string>();
  #process: ChildProcess | undefined;
  #closed = false;

  /** To be called in the same breath as the start of the server: nothing may be lost in between. */
  expect(): Expected {
    const mark = randomBytes(12).toString('hex');
    if (!this.#closed) {
      this.#marks.add(mark);
      if (this.#process) this.#tell('?', mark);
      else this.#start();
    }
    const known = (): void => {
      if (this.#marks.delete(mark)) this.#tell('!', mark);
    };
    const started = (pid: number): (() => void) => {
      const release = this.watch(pid);
      known();
      return release;
    };
    return { mark: { [markName]: mark }, started, failed: known };
  }

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
    for (const mark of this.#marks) this.#tell('?', mark);
    for (const pid of this.#pids) this.#tell('+', pid);
  }

  #tell(word: '?' | '!' | '+' | '-', what: string | number): void {
    this.#process?.stdin?.write(`${word} ${what}\n`);
  }
}

function program(): [file: string, args: string[], env: Record<string, string>] {
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  if (process.platform !== 'win32') return ['/bin/sh', ['-c', POSIX_PROGRAM], { PATH: path }];
  const env = { PATH: path, SystemRoot: process.env['SystemRoot'] ?? '', ELECTRON_RUN_AS_NODE: '1' };
  return [process.execPath, ['-e', WINDOWS_PROGRAM], env];
}
