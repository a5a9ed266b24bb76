// Three suites: unit (no processes), integration (real sockets, servers and clients), e2e (the built command).
import { defineConfig } from 'vitest/config';

const suite = (name: string, testTimeout: number, maxWorkers: number) => ({
  test: { name, root: '.', include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, maxWorkers },
});

export default defineConfig({
  test: {
    projects: [
      suite('unit', 30_000, 2),
      suite('integration', 60_000, 2),
      suite('e2e', 120_000, 2),
      suite('conformance', 600_000, 1),
      suite('soak', 600_000, 1),
      suite('tls', 900_000, 1),
      suite('abuse', 600_000, 1),
      suite('cluster', 120_000, 1),
    ],
  },
});
