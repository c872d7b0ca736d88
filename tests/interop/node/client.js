/* What a service user's program does with the published packages, for the tests beside this folder. */
'use strict';

const { readFileSync } = require('node:fs');
const { constructDuis, isSimplifiedDuisOutputResponse, parseDuis } = require('@smartdcc/duis-parser');
const { signDuis, validateDuis } = require('@smartdcc/duis-sign-wrap');
const { loadTemplates } = require('@smartdcc/duis-templates');

/** Each call of the signing tool starts a virtual machine: no more than two at a time. */
async function inPairs(items, work) {
  const results = [];
  for (let start = 0; start < items.length; start += 2) {
    results.push(...(await Promise.all(items.slice(start, start + 2).map(work))));
  }
  return results;
}

/** The outcome of a call of the signing tool. */
function outcome(call) {
  return call.then(
    (xml) => ({ xml }),
    (error) => ({ error: error.message }),
  );
}

const jobs = {
  /** Every published template: tag, service reference variant, command variant, target. */
  async templates() {
    return Object.entries(await loadTemplates({})).map(([tag, { simplified }]) => ({
      tag,
      useCase: tag.split('_')[0],
      variant: simplified.header.serviceReferenceVariant['Service Reference Variant'],
      commandVariant: simplified.header.commandVariant.number,
      originator: simplified.header.requestId.originatorId,
      target: simplified.header.requestId.targetId,
    }));
  },

  /** Requests out of templates, with another target and counter, and other values where `values` names them. */
  async requests(wanted) {
    const templates = await loadTemplates({});
    return wanted.map(({ tag, target, counter, values }) => {
      const request = templates[tag].simplified;
      request.header.requestId.targetId = target;
      request.header.requestId.counter = BigInt(counter);
      const change = (node) => {
        for (const name of Object.keys(node)) {
          if (name in values) {
            node[name] = values[name];
          } else if (typeof node[name] === 'object') {
            change(node[name]);
          }
        }
      };
      change(request.body);
      return constructDuis('simplified', request);
    });
  },

  /** What sends the signed pre-commands for such requests: the same header, another variant and body. */
  async signedPreCommands(wanted) {
    return wanted.map(({ request, payload }) => {
      const { header } = parseDuis('simplified', request);
      return constructDuis('simplified', {
        header: { ...header, commandVariant: 5 },
        body: { SignedPreCommand: { GBCSPayload: payload } },
      });
    });
  },

  /** Each document as the parser has it, and whether it takes it for a response of a known kind. */
  async responses(documents) {
    return documents.map((xml) => {
      const parsed = parseDuis('simplified', xml);
      return { ...parsed, recognised: isSimplifiedDuisOutputResponse(parsed) };
    });
  },

  /** The signing tool's judgement: schema 5.1 first, then the signature where there is one. */
  async validate(documents) {
    return inPairs(documents, (xml) => outcome(validateDuis({ xml })));
  },

  async sign(documents) {
    return inPairs(documents, (xml) => outcome(signDuis({ xml, preserveCounter: true })));
  },
};

/** Do a job with the JSON in a file, and print the result as JSON; counters as text, because they are long. */
exports.run = async (job, file) => {
  const result = await jobs[job](JSON.parse(readFileSync(file, 'utf8')));
  const plain = (_, value) => (typeof value === 'bigint' ? value.toString() : value);
  console.log(JSON.stringify(result, plain));
};
