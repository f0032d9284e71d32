"""The domain, pure Python: money, materials, orders, the order book, matching and its proof. No I/O, no clock."""
