import { describe } from 'vitest'
import { findNginx } from '../../src/local/gateway-binaries.ts'
import { gatewayForTests, startExampleNginx } from '../support/gateway.ts'
import { gatewayBehaviour } from './behaviour.ts'

const nginx = await gatewayForTests(findNginx)

describe.skipIf(!nginx)('behind nginx', () => {
  if (nginx) gatewayBehaviour((behind) => startExampleNginx(nginx, behind))
})
