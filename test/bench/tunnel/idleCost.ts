// What an edge's memory costs for those who do nothing: a link, and a visitor. A real `edge run`, its resident memory as
// the system counts it; the first of each kind are not counted, because they warm up what all share.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { print } from '../figures.ts';
import { enrolHome, runEdge } from './edgeProcess.ts';
import { publicName } from './endpoint.ts';
import { Player } from './roles.ts';

const domain = 'bench.localhost';
const linksPerHome = 60;
const homes = 17;
const warmUp = 100;
const visitors = 1_000;

/** One address plays everybody here. */
const config = `limits:
  maxConnectionsPerAddress: 16000
  handshakesPerSecondPerAddress: 5000
  claimsPerSecondPerConnector: 1000
`;

export async function printIdleCost(folder: string, ended: (() => void)[]): Promise<void> {
  const file = join(folder, 'edge.yaml');
  writeFileSync(file, config);
  const edge = await runEdge({ data: join(folder, 'idle-edge'), domain, words: ['--config', file] });
  ended.push(() => edge.child.kill('SIGKILL'));
  const [endpoint, idlers] = [new Player('endpoint'), new Player('idlers')];
  ended.push(() => [endpoint, idlers].forEach((player) => player.close()));

  const own = join(folder, 'idle-home');
  enrolHome(edge, own);
  await endpoint.ask({ home: own, edge: { domain: `${domain}:${edge.port}`, label: 'bench', instance: 'idle' } });
  const rss = (): number => residentKiB(edge.child.pid!);

  let links = 0;
  const counted: number[] = [];
  for (let home = 0; home < homes; home += 1) {
    const place = join(folder, `idler-${home}`);
    enrolHome(edge, place);
    await idlers.ask({ kind: 'links', home: place, domain, count: linksPerHome, prefix: `i${home}` });
    links += linksPerHome;
    counted.push(rss());
  }
  const perLink = (counted.at(-1)! - counted[1]!) / (links - 2 * linksPerHome);
  print(`an idle link (${links} of them)           ${perLink.toFixed(0)} KiB of the edge's resident memory`);

  const target = { kind: 'visitors', port: edge.port, serverName: publicName } as const;
  await idlers.ask({ ...target, count: warmUp });
  const before = rss();
  await idlers.ask({ ...target, count: visitors });
  const perVisitor = (rss() - before) / visitors;
  print(`an idle visitor (${visitors} of them)      ${perVisitor.toFixed(0)} KiB`);
}

function residentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
