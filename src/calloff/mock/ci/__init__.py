"""Tencent Cloud CI."""
