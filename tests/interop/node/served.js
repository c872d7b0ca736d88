/* A service user's program with the published packages, whole and unchanged: it makes and signs requests,
 * sends them to a served laboratory, takes call-backs, and validates and parses everything that it gets. */
'use strict';

const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { dirname, join } = require('node:path');
const { createInterface } = require('node:readline');
const { constructDuis, isSimplifiedDuisOutputResponse, parseDuis } = require('@smartdcc/duis-parser');
const { signDuis, validateDuis } = require('@smartdcc/duis-sign-wrap');
const { loadTemplates } = require('@smartdcc/duis-templates');
const { BoxedKeyStore, KeyUsage } = require('@smartdcc/dccboxed-keystore');

/** Validate as the client nodes do (schema, certificate, signature), then parse. */
async function understood(xml) {
  const validated = await validateDuis({ xml });
  const parsed = parseDuis('simplified', validated);
  return { ...parsed, recognised: isSimplifiedDuisOutputResponse(parsed) };
}

/** Call-backs in the order of their arrival; `next` waits for the one that `fits`. */
const callbacks = {
  arrived: [],
  waiting: [],
  add(callback) {
    const place = this.waiting.findIndex(({ fits }) => fits(callback));
    if (place >= 0) {
      this.waiting.splice(place, 1)[0].resolve(callback);
    } else {
      this.arrived.push(callback);
    }
  },
  next(fits) {
    const place = this.arrived.findIndex(fits);
    if (place >= 0) {
      return Promise.resolve(this.arrived.splice(place, 1)[0]);
    }
    return new Promise((resolve) => this.waiting.push({ fits, resolve }));
  },
};

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', async () => {
    const xml = Buffer.concat(parts).toString('utf8');
    try {
      if (request.method !== 'POST' || request.url !== '/smartdcc/duis') {
        throw new Error(`unexpected ${request.method} ${request.url}`);
      }
      const parsed = await understood(xml);
      response.writeHead(204).end();
      callbacks.add({ xml, parsed });
    } catch (error) {
      response.writeHead(400).end();
      callbacks.add({ xml, error: error.message });
    }
  });
});

const text = (id) => `${id.originatorId}:${id.targetId}:${id.counter}`.toLowerCase();

/** Sign and post a request; its answer, and with `wait` the call-back that follows an acknowledgement. */
async function send({ url, xml, preserveCounter }) {
  const signed = await signDuis({ xml, preserveCounter });
  const sent = parseDuis('simplified', signed);
  const id = text(sent.header.requestId);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/xml' },
    body: signed,
    // The published client waits no longer.
    signal: AbortSignal.timeout(3000),
  });
  const body = await response.text();
  const result = { status: response.status, type: response.headers.get('content-type'), signed, body, sent };
  if (response.status !== 200) {
    return result;
  }
  result.answer = await understood(body);
  if (result.answer.header.responseCode === 'I99') {
    const callback = await callbacks.next(
      ({ parsed, error }) => error || (parsed.header.requestId && text(parsed.header.requestId) === id),
    );
    if (callback.error) {
      throw new Error(callback.error);
    }
    result.callback = callback.parsed;
    result.callbackXml = callback.xml;
  }
  return result;
}

// Two files of the package share the tag ECS42_7.1, and loadTemplates() forgets one of them.
const templateFolder = join(dirname(require.resolve('@smartdcc/duis-templates')), '..', 'templates');
let templates;

const jobs = {
  async listen() {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { port: server.address().port };
  },

  /** A request out of a template, with another originator, target and counter, and other values where `values`
   * has them; with `variant` and `body` one for which there is no template. */
  async build({ tag, file, originator, target, counter, values, variant, body }) {
    templates ??= await loadTemplates({});
    const request = file
      ? parseDuis('simplified', readFileSync(join(templateFolder, file), 'utf8'))
      : structuredClone(templates[tag].simplified);
    if (originator) {
      request.header.requestId.originatorId = originator;
    }
    if (target) {
      request.header.requestId.targetId = target;
    }
    if (counter) {
      request.header.requestId.counter = BigInt(counter);
    }
    if (variant) {
      Object.assign(request.header, { serviceReference: variant, serviceReferenceVariant: variant });
      request.body = body;
    }
    const change = (node) => {
      for (const name of Object.keys(node)) {
        if (values && name in values) {
          node[name] = values[name];
        } else if (node[name] !== null && typeof node[name] === 'object') {
          change(node[name]);
        }
      }
    };
    change(request.body);
    return constructDuis('simplified', request);
  },

  send,

  /** The request that brings a signed pre-command, under the id of the request that was transformed. */
  async signedPreCommand({ sent, payload }) {
    const { header } = parseDuis('simplified', sent);
    return constructDuis('simplified', {
      header: { ...header, commandVariant: 5 },
      body: { SignedPreCommand: { GBCSPayload: payload } },
    });
  },

  /** The next call-back that answers no request. */
  async alert() {
    const { parsed, error } = await callbacks.next(
      (callback) => callback.error || !callback.parsed.header.requestId,
    );
    return { ...parsed, error };
  },

  /** The next call-back about the request with that id, after its response. */
  async outcome({ requestId }) {
    const { parsed, error } = await callbacks.next(
      (callback) => callback.error || (callback.parsed.header.requestId
        && text(callback.parsed.header.requestId) === text(requestId)),
    );
    return { ...parsed, error };
  },

  /** Certificates of a device, found by the published key store client: in-use ones, as PEM. */
  async certificates({ smki, eui }) {
    const store = await BoxedKeyStore.new(smki);
    try {
      const found = {};
      for (const usage of ['digitalSignature', 'keyAgreement']) {
        const results = await store.query({ lookup: 'certificate', eui, keyUsage: KeyUsage[usage] });
        found[usage] = results === null ? null : results.map(({ serial, certificate }) => ({
          serial: serial.toString(),
          pem: certificate.toString(),
        }));
      }
      return found;
    } finally {
      await store.cleanup();
    }
  },

  async certificateBySerial({ smki, serial }) {
    const store = await BoxedKeyStore.new(smki);
    try {
      const found = await store.query({ lookup: 'certificate', serial: BigInt(serial) });
      return found === null ? null : found.certificate.toString();
    } finally {
      await store.cleanup();
    }
  },
};

/* One JSON line in is one job, one JSON line out its result. */
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, job, data } = JSON.parse(line);
  const plain = (_, value) => (typeof value === 'bigint' ? value.toString() : value);
  try {
    console.log(JSON.stringify({ id, result: await jobs[job](data) }, plain));
  } catch (error) {
    console.log(JSON.stringify({ id, error: error.stack ?? String(error) }));
  }
}).on('close', () => process.exit(0));
