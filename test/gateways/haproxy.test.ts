import { describe } from 'vitest'
import { findHaproxy } from '../../src/local/gateway-binaries.ts'
import { gatewayForTests, startExampleHaproxy } from '../support/gateway.ts'
import { gatewayBehaviour } from './behaviour.ts'

const haproxy = await gatewayForTests(findHaproxy)

describe.skipIf(!haproxy)('behind haproxy', () => {
  if (haproxy) gatewayBehaviour((behind) => startExampleHaproxy(haproxy, behind))
})
