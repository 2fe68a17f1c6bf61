import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { base64url } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openHash } from '../../src/accounts/sealed-hash.ts'
import { jsonText } from '../../src/json-text.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { runTool, type CommandRun } from '../support/command-line.ts'
import { foreignSamples } from '../support/foreign-hashes.ts'
import { bcryptHash, exists, importLines, startImportPlace, type ImportPlace } from '../support/import-place.ts'
import { testSecret } from '../support/stack.ts'

const named = jsonText.pipe(z.object({ username: z.string() }))

let place: ImportPlace
beforeAll(async () => {
  place = await startImportPlace()
})
afterAll(() => place.stop())
beforeEach(() => place.reset())

const summaryOf = ({ stdout }: CommandRun): unknown => JSON.parse(stdout)
const report = async (): Promise<unknown[]> =>
  (await readFile(`${place.file}.refused.ndjson`, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('npm run accounts -- import', () => {
  it('takes accounts over as they were, with their hashes sealed', async () => {
    const [ada, grace] = [
      {
        username: ' ADA',
        password_hash: bcryptHash,
        roles: ['teller', 'admin'],
        created_at: '2021-03-04T05:06:07+01:00',
      },
      { username: 'Grace', password_hash: bcryptHash, status: 'disabled', created_at: '2020-02-29' },
    ]
    await writeFile(place.file, `\ufeff${JSON.stringify(ada)}\r\n\n${JSON.stringify(grace)}`)
    const done = await place.run()
    expect(done).toMatchObject({ code: 0, stdout: 'Imported 2 accounts; 0 lines were refused.\n' })
    const { hash = '', ...account } = (await place.find('ada')) ?? {}
    expect(account).toEqual({
      userId: expect.stringMatching(/^[\w-]{22}$/),
      username: 'ada',
      status: 'active',
      roles: 'teller admin',
      createdAtMs: Date.parse('2021-03-04T04:06:07Z'),
    })
    const { hashSeal } = await deriveKeys(new Uint8Array(base64url.decode(testSecret)))
    expect(await openHash(hash, [hashSeal])).toBe(bcryptHash)
    expect(await place.find('grace')).toMatchObject({
      status: 'disabled',
      roles: '',
      createdAtMs: Date.parse('2020-02-29'),
    })
    expect([await exists(`${place.file}.progress`), await exists(`${place.file}.refused.ndjson`)]).toEqual([
      false,
      false,
    ])
  })

  it('refuses each line that is no account, with number, username and reason, and never a hash', async () => {
    const hashed = (hash: unknown) => JSON.stringify({ username: 'eve', password_hash: hash })
    const refused: readonly (readonly [string | Buffer, string])[] = [
      ['username,password', 'not JSON'],
      ['{"username":"eve","password_hash":', 'not JSON'],
      ['"eve"', 'expected object'],
      ['{"username":"eve"}', 'password_hash: '],
      [`{"password_hash":"${bcryptHash}"}`, 'username: '],
      [`{"username":"eve","password_hash":"${bcryptHash}","email":"e@example.com"}`, 'email'],
      [`{"username":"eve","password_hash":"${bcryptHash}","roles":["a b"]}`, 'visible ASCII'],
      [`{"username":"eve","password_hash":"${bcryptHash}","roles":"teller"}`, 'roles: '],
      [`{"username":"eve","password_hash":"${bcryptHash}","status":"locked"}`, 'status: '],
      [`{"username":"eve","password_hash":"${bcryptHash}","created_at":"yesterday"}`, 'ISO 8601'],
      [`{"username":"   ","password_hash":"${bcryptHash}"}`, '1 to 64 characters'],
      [`{"username":"e\\u200bve","password_hash":"${bcryptHash}"}`, 'invisible'],
      [hashed('5f4dcc3b5aa765d61d8327deb882cf99'), 'unknown scheme'],
      [hashed('$2b$12$abc'), 'malformed'],
      [hashed(bcryptHash.replace('$12$', '$14$')), 'too costly'],
      [hashed(null), 'password_hash: '],
      [hashed('$2b$12$'.padEnd(600, 'a')), 'longer than 512'],
      [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'not UTF-8'],
      ['{'.padEnd(70_000, ' '), 'longer than 64 KiB'],
    ]
    const [first, second] = [importLines(1), importLines(2).split('\n')[1] ?? '']
    const parts = [...refused.flatMap(([line]) => [line, '\n']), first, second]
    await writeFile(place.file, Buffer.concat(parts.map((part) => Buffer.from(part))))
    const done = await place.run('--json')
    expect(done.code).toBe(1)
    expect(done.stderr).toBe('')
    expect(summaryOf(done)).toEqual({ imported: 2, refused: refused.length, refusals: `${place.file}.refused.ndjson` })
    const found = await report()
    expect(found).toEqual(
      refused.map(([line, reason], i) => ({
        line: i + 1,
        username: named.safeParse(String(line)).data?.username,
        reason: expect.stringContaining(reason),
      })),
    )
    const told = JSON.stringify(found) + done.stdout
    for (const secret of ['5f4dcc3b', bcryptHash.slice(7)]) expect(told).not.toContain(secret)
    expect(await place.stored()).toEqual([2, 2])
  })

  it('refuses usernames that are taken, in the store or earlier in the file, and knows what it imported before', async () => {
    const other = foreignSamples[0]?.hash
    await writeFile(place.file, importLines(1))
    await place.run()
    const again = { username: 'ada', password_hash: bcryptHash }
    const parts = [{ username: 'USER-0', password_hash: other }, again, { ...again, username: 'Ada' }, again]
    await writeFile(place.file, importLines(3) + importLines(parts.length, (i) => parts[i]))
    expect(summaryOf(await place.run('--json'))).toMatchObject({ imported: 3, refused: 4 })
    const sameHash = expect.stringContaining('this very hash')
    expect(await report()).toEqual([
      { line: 1, username: 'user-0', reason: sameHash },
      { line: 4, username: 'user-0', reason: 'The username is taken.' },
      { line: 6, username: 'ada', reason: sameHash },
      { line: 7, username: 'ada', reason: sameHash },
    ])
    expect(await place.stored()).toEqual([4, 4])
  })

  it('checks a file without any store, and writes nothing', async () => {
    await writeFile(place.file, `${importLines(2)}${importLines(1)}nonsense\n`)
    const check = (...args: string[]) => runTool('accounts', ['import', place.file, '--dry-run', ...args], { env: {} })
    const said = await check()
    expect(said).toMatchObject({ code: 1, stdout: expect.stringContaining('2 accounts could be imported') })
    expect(said.stderr).toContain('Line 3, user-0: The username stands in this file before.')
    expect(said.stderr).toContain('Line 4, no username: The line is not JSON.')
    const wanted = join(place.folder, 'report')
    expect(await check('--json')).toMatchObject({
      stdout: `${JSON.stringify({ imported: 2, refused: 2 })}\n`,
      stderr: '',
    })
    expect(summaryOf(await check('--json', '--refusals', wanted))).toMatchObject({ refusals: wanted })
    expect((await readFile(wanted, 'utf8')).split('\n')).toHaveLength(3)
    expect([await exists(`${place.file}.progress`), await place.direct.dbsize()]).toEqual([false, 0])
    await writeFile(place.file, importLines(2))
    expect((await check()).code).toBe(0)
  })

  it('says in one sentence what is wrong with a file, and explains itself', async () => {
    expect(await place.run()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`There is no file ${place.file}.`),
    })
    expect(await place.run('--dry-run')).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no file') })
    const ofFolder = await runTool('accounts', ['import', place.folder], { env: place.env })
    expect(ofFolder).toMatchObject({ code: 1, stderr: expect.stringContaining('is not a file') })
    await writeFile(place.file, 'nonsense\n')
    const nowhere = await place.run('--refusals', join(place.folder, 'no', 'such'))
    expect(nowhere).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/cannot be written \(ENOENT\).*--refusals/),
    })
    await mkdir(`${place.file}.progress.new`)
    expect(await place.run()).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing is imported') })
    expect((await runTool('accounts', ['import'], { env: place.env })).code).toBe(2)
    const help = await runTool('accounts', ['import', '--help'], { env: {} })
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Exit codes') })
    expect(help.stdout).toContain('--dry-run\n')
  })

  it('shows how far it is, and is silent with --json', async () => {
    await writeFile(place.file, importLines(2000))
    const { stderr } = await place.run()
    expect(stderr).toContain('100%: 2000 lines, 0 refused.\n')
    await place.direct.flushall()
    expect(await place.run('--json')).toMatchObject({ code: 0, stderr: '' })
  })
})
