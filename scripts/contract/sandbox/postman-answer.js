const test = pm.test;
const status = pm.response.code;
const body = pm.response.text();
