import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runTool } from '../support/command-line.ts'
import { bcryptHash, importLines, startImportPlace, type ImportPlace } from '../support/import-place.ts'

const listed = z.object({ accounts: z.array(z.object({ username: z.string() })), more: z.boolean() })

let place: ImportPlace
beforeAll(async () => {
  place = await startImportPlace()
})
afterAll(() => place.stop())
beforeEach(() => place.reset())

describe('npm run accounts -- list', () => {
  const list = (...args: string[]) => runTool('accounts', ['list', ...args], { env: place.env })

  it('lists accounts by username, with what begins so, up to a limit, and tells nothing of their hashes', async () => {
    expect(await list()).toMatchObject({ code: 0, stdout: 'There is no such account.\n' })
    await writeFile(
      place.file,
      importLines(12, (i) => ({ username: `user-${i}`, password_hash: bcryptHash, roles: ['b', 'a'] })),
    )
    await place.run()
    expect(
      (await runTool('accounts', ['create', 'zoë'], { env: place.env, input: 'correct horse battery staple' })).code,
    ).toBe(0)
    const all = await list()
    expect(all.stdout.split('\n')[0]).toMatch(/^username +user id +status +roles +created$/)
    expect(all.stdout).toMatch(/^user-11 +[\w-]{22} +active, imported +b a +20\d\d-/m)
    expect(all.stdout).toMatch(/^zoë +[\w-]{22} +active +20\d\d-/m)
    const some = await list('--prefix', 'USER-1', '--limit', '2', '--json')
    const account = (username: string) => ({
      username,
      user_id: expect.any(String),
      status: 'active',
      roles: ['b', 'a'],
      created_at: expect.any(String),
      has_imported_hash: true,
    })
    expect(JSON.parse(some.stdout)).toEqual({
      accounts: [account('user-1'), account('user-10')],
      more: true,
    })
    expect((await list('--prefix', 'user-1', '--limit', '2')).stdout).toContain('There are more')
    expect(JSON.parse((await list('--prefix', 'zo', '--json')).stdout)).toMatchObject({
      accounts: [{ username: 'zoë', has_imported_hash: false, roles: [] }],
      more: false,
    })
    expect((await list('--limit', 'all')).code).toBe(2)
    place.proxy.mode('refuse')
    expect(await list()).toMatchObject({ code: 3, stderr: expect.stringContaining('cannot be reached') })
  })

  it('goes on for as many pages as it takes', async () => {
    await writeFile(place.file, importLines(1201))
    await place.run()
    const { stdout } = await list('--limit', '1200', '--json')
    const { accounts, more } = listed.parse(JSON.parse(stdout))
    expect(new Set(accounts.map(({ username }) => username)).size).toBe(1200)
    expect(more).toBe(true)
  })
})
