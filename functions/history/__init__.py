"""The history of orders: which versions the market's tables leave, and what a player is shown of them."""
