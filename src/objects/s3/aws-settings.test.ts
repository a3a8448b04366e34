import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { awsSettings } from './aws-settings.ts'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'flotilla-aws-'))
  mkdirSync(join(home, '.aws'))
})
afterEach(() => rmSync(home, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(home, '.aws', name), text)

async function settings(env: NodeJS.ProcessEnv) {
  const { credentials, region } = await awsSettings(env, home)
  const { accessKey, secret, sessionToken } = credentials ?? {}
  return { accessKey, secret: secret?.reveal(), token: sessionToken?.reveal(), region }
}

describe('what AWS tools have set', () => {
  it('is nothing where nothing is set', async () => {
    expect(await awsSettings({}, home)).toEqual({})
  })

  it('comes from the environment first', async () => {
    write('credentials', '[default]\naws_access_key_id = A\naws_secret_access_key = B\n')
    const env = { AWS_ACCESS_KEY_ID: 'K', AWS_SECRET_ACCESS_KEY: 'S', AWS_SESSION_TOKEN: 'T', AWS_REGION: 'r' }
    expect(await settings(env)).toEqual({ accessKey: 'K', secret: 'S', token: 'T', region: 'r' })
  })

  it('comes from the profile that is named, or else from the default', async () => {
    write(
      'credentials',
      '# c\n[default]\r\naws_access_key_id = A\r\naws_secret_access_key = B=C\r\n[ other ]\naws_access_key_id=D\naws_secret_access_key=E\n',
    )
    write('config', '[default]\nregion = x\n[profile other]\nregion = y\ns3 =\n  addressing_style = path\n')
    expect(await settings({})).toEqual({ accessKey: 'A', secret: 'B=C', region: 'x' })
    expect(await settings({ AWS_PROFILE: 'other' })).toEqual({ accessKey: 'D', secret: 'E', region: 'y' })
    await expect(settings({ AWS_PROFILE: 'none' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('is refused where it is only half there', async () => {
    await expect(settings({ AWS_ACCESS_KEY_ID: 'K' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    write('credentials', '[default]\naws_secret_access_key = geheim\n')
    await expect(settings({})).rejects.toThrow(/^(?!.*geheim)/)
  })
})
