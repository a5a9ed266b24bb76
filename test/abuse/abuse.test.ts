// The long abuse: numbers as an edge on the open internet sees them.
import { it } from 'vitest';
import { survivesHalfOpen, survivesHellos, survivesNeverRead, survivesSlowHttp } from './expectations.ts';
import { printIdleCosts } from './idleCosts.ts';

it('5,000 connections that say nothing', () => survivesHalfOpen(5000));
it('10,000 hellos, made up and mutated', () => survivesHellos(10_000, { chromium: true }));
it('slowhttptest, at a route and at both doors', () => survivesSlowHttp(['headers', 'body', 'read'], 800, 20));
it('100 readers that never read', () => survivesNeverRead(100));
it('what an idle visitor and an idle session cost', () => printIdleCosts({ visitors: 1000, sessions: 60 }));
