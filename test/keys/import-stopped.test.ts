import { rm, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createKeyNames } from '../../src/store/keys.ts'
import { runTool, startTool, type CommandRun } from '../support/command-line.ts'
import { exists, importLines, startImportPlace, type ImportPlace } from '../support/import-place.ts'

let place: ImportPlace
beforeAll(async () => {
  place = await startImportPlace()
})
afterAll(() => place.stop())
beforeEach(() => place.reset())

const summaryOf = ({ stdout }: CommandRun): unknown => JSON.parse(stdout)

describe('an import that was stopped', () => {
  const complete = async (count: number) => {
    const done = await place.run('--json')
    expect(summaryOf(done)).toEqual({ imported: count, refused: 0 })
    expect(await place.stored()).toEqual([count, count])
    expect(await exists(`${place.file}.progress`)).toBe(false)
  }

  it('by Ctrl-C ends after the batch under way, and goes on', async () => {
    await writeFile(place.file, importLines(1000))
    const running = startTool('accounts', ['import', place.file], { env: place.env })
    place.onBatch = (nth) => {
      // npm passes it on to a process that has had it from the terminal.
      if (nth === 2) for (let i = 0; i < 2; i++) running.kill('SIGINT')
    }
    const stopped = await running.ended
    expect(stopped).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('Stopped. 400 lines are done'),
    })
    expect(await place.stored()).toEqual([400, 400])
    await complete(1000)
  })

  it('by an outage says how to go on; what was done and not noted counts as done', async () => {
    await writeFile(place.file, importLines(1000))
    place.onBatch = (nth) => {
      if (nth === 3) place.proxy.mode('drop-replies')
    }
    const stopped = await place.run()
    expect(stopped).toMatchObject({ code: 3, stdout: '' })
    expect(stopped.stderr).toMatch(
      /cannot be reached.* 400 lines are done \(400 imported, 0 refused\): the same command/,
    )
    expect(await place.stored()).toEqual([600, 600])
    place.proxy.mode('refuse')
    expect((await place.run()).code).toBe(3)
    place.proxy.mode('pass')
    await complete(1000)
  })

  it('in the middle of a batch goes on in the middle', async () => {
    await writeFile(place.file, importLines(300))
    // One that makes the script fail; those before it in the batch are made.
    const damaged = await createKeyNames(1).account('user-250')
    await place.direct.lpush(damaged, 'not an account')
    expect(await place.run()).toMatchObject({ code: 3, stderr: expect.stringContaining('200 lines are done') })
    await place.direct.del(damaged)
    expect(await place.stored()).toEqual([250, 250])
    await complete(300)
  })

  it('knows accounts that it made, whatever has become of them', async () => {
    await writeFile(place.file, importLines(10))
    place.proxy.mode('drop-replies')
    expect((await place.run()).code).toBe(3)
    place.proxy.mode('pass')
    expect((await runTool('accounts', ['set-roles', 'user-3', 'teller'], { env: place.env })).code).toBe(0)
    await complete(10)
    expect(await place.find('user-3')).toMatchObject({ roles: 'teller' })
  })

  it('does not go on with another file, to another store, or from something else', async () => {
    await writeFile(place.file, importLines(10))
    place.proxy.mode('drop-replies')
    expect((await place.run()).code).toBe(3)
    place.proxy.mode('pass')
    const elsewhere = await runTool('accounts', ['import', place.file], {
      env: { ...place.env, UPSTASH_REDIS_REST_URL: place.bridge.url },
    })
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('went to another store') })
    await writeFile(place.file, importLines(9))
    expect(await place.run()).toMatchObject({ code: 1, stderr: expect.stringContaining('has changed') })
    await writeFile(`${place.file}.progress`, '{}')
    expect(await place.run()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`Delete ${place.file}.progress`),
    })
    await rm(`${place.file}.progress`)
    // Another seed: the accounts are those of an earlier import now.
    expect(summaryOf(await place.run('--json'))).toMatchObject({ imported: 0, refused: 9 })
  })
})
