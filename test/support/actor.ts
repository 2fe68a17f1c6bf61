import type { Actor } from '../../src/store/audit.ts'

/** Who changes things in tests of the store. */
export const actor: Actor = { by: 'user:tester', from: '203.0.113.0', requestId: 'request-1' }
