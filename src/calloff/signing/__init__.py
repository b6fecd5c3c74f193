"""Request signatures as pure functions, one module per algorithm.

``qsign`` is the COS XML v5 signature of Tencent Cloud (``q-sign-algorithm=sha1``), ``sdk_hmac`` the plain
form of ``SDK-HMAC-SHA256`` of Huawei Cloud and Open Telekom Cloud. Each stage is a public function, so that
a mismatch can be located; the clock is an argument; a request is read, never changed. No HTTP library is
known here.
"""
