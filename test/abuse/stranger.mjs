// Strangers in a thread of their own, so that what they cost is not taken for the edge's: they connect, say what they
// were given, and leave when the edge hangs up.
import { once } from 'node:events';
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ port: number, hellos: Uint8Array[], atOnce: number }} */
const { port, hellos, atOnce } = workerData;
let next = 0;

async function worker() {
  for (let at = next++; at < hellos.length; at = next++) {
    // One of many addresses of this machine, so that no cap per address is in the way.
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${1 + (at % 200)}` });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {}).on('data', () => socket.destroy()); // Somebody took it for a hello of theirs.
    await once(socket, 'connect').catch(() => {});
    socket.end(hellos[at]);
    await closed;
  }
}

await Promise.all(Array.from({ length: atOnce }, worker));
parentPort?.postMessage('done');
