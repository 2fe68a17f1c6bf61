import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { bundleLibrary } from '../support/web-app.ts'

const LIMIT_BYTES = 4096

it('the browser library has at most 4 kB, minified and gzipped', async () => {
  const bundle = await bundleLibrary('esm')
  const { length } = gzipSync(bundle, { level: 9 })
  console.log(`latchkey/browser: ${length} bytes gzipped, ${bundle.length} minified`)
  expect(length).toBeGreaterThan(1000)
  expect(length).toBeLessThanOrEqual(LIMIT_BYTES)
})
