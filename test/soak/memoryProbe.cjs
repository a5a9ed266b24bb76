// Loaded into the tunnel's process by a soak (NODE_OPTIONS): with SIGUSR2 it collects garbage and writes down what is left.
// Resident memory alone says little: it holds garbage that nobody had reason to collect yet, and gaps of the allocator.
const { renameSync, writeFileSync } = require('node:fs');
const { setFlagsFromString, writeHeapSnapshot } = require('node:v8');
const { runInNewContext } = require('node:vm');

const { SOAK_MEMORY: path, SOAK_SNAPSHOTS: snapshots } = process.env;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
let asked = 0;

process.on('SIGUSR2', () => {
  collect();
  // The memory of array buffers is given back beside the program, and counted as gone with the next collection.
  setImmediate(() => {
    collect();
    const { heapUsed, external, rss } = process.memoryUsage(); // `external` holds the array buffers, too.
    asked += 1;
    writeFileSync(`${path}.new`, JSON.stringify({ asked, heldBytes: heapUsed + external, residentBytes: rss }));
    renameSync(`${path}.new`, path);
    if (snapshots?.split(',').includes(String(asked))) writeHeapSnapshot(`${path}.${asked}.heapsnapshot`);
  });
});
