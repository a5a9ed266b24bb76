import { describe, expectTypeOf, it } from 'vitest';
import type { LaunchPlan } from '../../../src/discovery/launchPlan.ts';
import type * as here from '../../../src/discovery/server.ts';
import type * as control from '../../../src/protocol/control.ts';

describe('the shapes of discovery', () => {
  it('are those of the control contract', () => {
    expectTypeOf<here.ServerTransport>().toEqualTypeOf<control.ServerTransport>();
    expectTypeOf<here.ServerSource>().toEqualTypeOf<control.ServerSource>();
    expectTypeOf<here.DiscoveredServer>().toEqualTypeOf<control.DiscoveredServer>();
    expectTypeOf<here.DiscoveryProblem>().toEqualTypeOf<control.DiscoveryProblem>();
    expectTypeOf<here.ServerList>().toEqualTypeOf<control.ServerList>();
    expectTypeOf<LaunchPlan>().toEqualTypeOf<control.LaunchPlan>();
  });
});
