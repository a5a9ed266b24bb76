// Where the time of a run goes, by source file: samples of the CPU profiler, each counted for the nearest file of ours
// that is on the stack (what Node does on its behalf included). Shares are right, sums are not: sampling slows.
import { Session } from 'node:inspector/promises';
import { readFileSync } from 'node:fs';

type Frame = { functionName: string; url: string; lineNumber: number };
type ProfileNode = { id: number; callFrame: Frame; children?: number[] };

/** Samples are taken by the clock on the wall: writing to a socket whose reader sleeps takes long and little CPU. */
const BY_NAME: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collector',
  writev: '(writing to the socket: waiting, not CPU)',
  writeLatin1String: '(writing to the socket: waiting, not CPU)',
};

/** Microseconds by source file; `node` where none of ours is on the stack. */
export async function profiled(run: () => Promise<void>): Promise<Map<string, number>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 100 });
  await session.post('Profiler.start');
  await run();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const fileAt = bundleMap();
  const nodes = new Map((profile.nodes as ProfileNode[]).map((node) => [node.id, node]));
  const parents = new Map([...nodes.values()].flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const spent = new Map<string, number>();
  (profile.samples ?? []).forEach((sample, index) => {
    const name = nodes.get(sample)!.callFrame.functionName;
    if (name === '(idle)' || name === '(program)') return;
    const file = BY_NAME[name] ?? ownerOf(sample, nodes, parents, fileAt);
    spent.set(file, (spent.get(file) ?? 0) + (profile.timeDeltas?.[index] ?? 0));
  });
  return spent;
}

function ownerOf(
  sample: number,
  nodes: ReadonlyMap<number, ProfileNode>,
  parents: ReadonlyMap<number, number>,
  fileAt: (line: number) => string | undefined,
): string {
  for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
    const { url, lineNumber } = nodes.get(id)!.callFrame;
    const file = url.endsWith('bench.cjs') ? fileAt(lineNumber) : undefined;
    if (file !== undefined) return file;
  }
  return 'node';
}

/** The bundler writes each file's name in front of it. */
function bundleMap(): (line: number) => string | undefined {
  const starts = readFileSync(__filename, 'utf8')
    .split('\n')
    .flatMap((line, at) => {
      const file = /^\/\/ ((?:src|test|node_modules)\/\S+)$/.exec(line)?.[1];
      return file === undefined ? [] : [{ at, file }];
    });
  return (line) => starts.findLast(({ at }) => at <= line)?.file;
}
